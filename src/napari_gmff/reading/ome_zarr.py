"""OME-Zarr 0.4 and 0.5: multiscale images, groups of several, on disk or at an address."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import SourceError
from napari_gmff.reading.arrays import OrderedArray, as_dask
from napari_gmff.reading.axes import check_dtype, plan_axes
from napari_gmff.reading.generated import names_are_marked, with_mark
from napari_gmff.reading.messages import note_of_more
from napari_gmff.reading.ome_zarr_groups import image_paths, stacks_among_images
from napari_gmff.reading.ome_zarr_metadata import (
    Multiscale,
    axis_letter,
    in_um,
    multiscale_of,
    z_falls,
)
from napari_gmff.reading.planes import evenly
from napari_gmff.reading.stack import FocusStack
from napari_gmff.reading.storage import storage_of_zarr
from napari_gmff.reading.zarr_nodes import member, open_node

if TYPE_CHECKING:
    import dask.array as da
    import zarr

MARKS = (".zgroup", ".zarray", ".zattrs", "zarr.json")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return path.is_dir() and any((path / mark).is_file() for mark in MARKS)


def read_ome_zarr(
    address: str, *, series: int | None = None, axes: str | None = None
) -> FocusStack:
    """Open one image of an OME-Zarr lazily.

    Parameters
    ----------
    address : str
        Folder or address of an image, of a group of images (``bioformats2raw.layout``), of a
        plate or one of its wells, or of a plain zarr array, whose axes must then be named.
    series : int, optional
        Which image of a group; the first that is a focus stack where left out, with a note if
        there are more.
    axes : str, optional
        Meaning of its axes, overriding what it says.

    Raises
    ------
    SourceError
        If it is no image that can be fused.
    """
    import zarr

    node = open_node(address)
    name = address.rstrip("/").replace("\\", "/").rpartition("/")[2]
    more: tuple[str, ...] = ()
    if series is None:
        stacks = stacks_among_images(address, node) if isinstance(node, zarr.Group) else {}
        series = next(iter(stacks), 0)
        more = note_of_more(list(stacks.values()))
    if isinstance(node, zarr.Array):
        if axes is None:
            raise SourceError(
                f"{address}: a plain zarr array says nothing of its {node.ndim} axes "
                f"{node.shape}, name them with axes="
            )
        stack_axes, image = axes, None
        arrays = [node]
    else:
        image = _chosen_image(address, node, series)
        stack_axes = "".join(axis_letter(address, axis) for axis, _ in image.axes)
        arrays = [_level(address, image.group, path) for path in image.paths]
    stack = _stack(address, name, arrays, image, stack_axes, axes, series)
    return replace(stack, notes=stack.notes + more)


def image_names(address: str) -> list[str]:
    """Names of the images of an OME-Zarr, in the order that `series` counts them."""
    import zarr

    node = open_node(address)
    if isinstance(node, zarr.Array):
        return [node.basename or "array"]
    return image_paths(address, node) or [multiscale_of(address, node).name]


def position_places(address: str) -> list[tuple[int, str]]:
    """Return number and name of the images of an OME-Zarr that are positions, none for one image.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    import zarr

    node = open_node(address)
    return list(stacks_among_images(address, node).items()) if isinstance(node, zarr.Group) else []


def _chosen_image(address: str, group: zarr.Group, series: int) -> Multiscale:
    import zarr

    paths = image_paths(address, group)
    n_images = len(paths) or 1
    if series >= n_images:
        raise SourceError(
            f"{address}: series must be below {n_images} (it has {n_images} series), got {series}"
        )
    if not paths:
        return multiscale_of(address, group)
    found = member(address, group, paths[series])
    if not isinstance(found, zarr.Group):
        raise SourceError(f"{address}: the image {paths[series]!r} it names is missing")
    return multiscale_of(f"{address}/{paths[series]}", found)


def _level(address: str, group: zarr.Group, path: str) -> zarr.Array[Any]:
    import zarr

    found = member(address, group, path)
    if not isinstance(found, zarr.Array):
        raise SourceError(f"{address}: the array {path!r} it names is missing")
    return found


def _stack(
    address: str,
    name: str,
    arrays: list[zarr.Array[Any]],
    image: Multiscale | None,
    file_axes: str,
    wanted: str | None,
    series: int,
) -> FocusStack:
    shape = arrays[0].shape
    if len(file_axes) != len(shape):
        raise SourceError(
            f"{address}: axes must have one letter for each of its {len(shape)} axes {shape}, "
            f"got {file_axes!r}"
        )
    for array in arrays:
        check_dtype(address, array.dtype)
        if array.ndim != len(shape):
            raise SourceError(
                f"{address}: all levels must have {len(shape)} axes, found {array.ndim}"
            )
    plan = plan_axes(address, file_axes, shape, wanted)
    levels = tuple(as_dask(OrderedArray(array, plan, address)) for array in arrays)
    sizes, starts = in_um(image, plan)
    metadata: dict[str, object] = {
        "reader": "ome-zarr" if image else "zarr",
        "series": series,
        "axes": "".join(plan.letters),
    }
    if image is not None:
        metadata |= {"image": image.name, "version": image.version}
    z_um, n_slices = sizes[0], levels[0].shape[2]
    step_um = -z_um if z_um is not None and z_falls(image, plan) else z_um
    channels = image.channels if image is not None else ()
    kind = "Zarr array" if image is None else f"OME-Zarr {image.version}"
    places = (plan.letters.index("Y"), plan.letters.index("X"))
    stack = FocusStack(
        data=levels[0],
        name=name,
        voxel_size_um=sizes,
        z_positions_um=None if step_um is None else evenly(n_slices, step_um, starts[0]),
        origin_yx_um=(starts[1], starts[2]),
        channels=channels if len(channels) == levels[0].shape[1] else (),
        levels=_shrinking(levels),
        metadata=metadata,
        notes=plan.notes,
        storage=storage_of_zarr(arrays[0], kind, address, places),
    )
    is_generated = image is not None and names_are_marked(image.name, image.channels)
    return with_mark(stack) if is_generated else stack


def _shrinking(levels: tuple[da.Array, ...]) -> tuple[da.Array, ...]:
    """Levels that only lose pixels in Y and X, which is what a display can use."""
    first = levels[0]
    return tuple(
        level
        for level in levels
        if level.shape[:3] == first.shape[:3] and level.shape[5:] == first.shape[5:]
    )
