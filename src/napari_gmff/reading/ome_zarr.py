"""OME-Zarr 0.4 and 0.5: multiscale images, groups of several, on disk or at an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import SourceError
from napari_gmff.reading.arrays import OrderedArray, as_dask
from napari_gmff.reading.axes import check_dtype, plan_axes
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.ome_xml import check_inside
from napari_gmff.reading.ome_zarr_metadata import (
    Multiscale,
    axis_letter,
    in_um,
    multiscale_of,
    ome_attributes,
    z_falls,
)
from napari_gmff.reading.planes import evenly
from napari_gmff.reading.stack import FocusStack

if TYPE_CHECKING:
    import dask.array as da
    import zarr

MARKS = (".zgroup", ".zarray", ".zattrs", "zarr.json")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return path.is_dir() and any((path / mark).is_file() for mark in MARKS)


def read_ome_zarr(address: str, *, series: int = 0, axes: str | None = None) -> FocusStack:
    """Open one image of an OME-Zarr lazily.

    Parameters
    ----------
    address : str
        Folder or address of an image, of a group of images (``bioformats2raw.layout``), or of a
        plain zarr array, whose axes must then be named.
    series : int
        Which image of a group.
    axes : str, optional
        Meaning of its axes, overriding what it says.

    Raises
    ------
    SourceError
        If it is no image that can be fused.
    """
    import zarr

    node = _open_node(address)
    name = address.rstrip("/").replace("\\", "/").rpartition("/")[2]
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
    return _stack(address, name, arrays, image, stack_axes, axes, series)


def image_names(address: str) -> list[str]:
    """Names of the images of an OME-Zarr, in the order that `series` counts them."""
    import zarr

    node = _open_node(address)
    if isinstance(node, zarr.Array):
        return [node.basename or "array"]
    return _image_paths(address, node) or [multiscale_of(address, node).name]


def _open_node(address: str) -> zarr.Array[Any] | zarr.Group:
    import zarr

    try:
        return zarr.open(address, mode="r")
    except ImportError as error:
        raise SourceError(
            f"{address}: reading this address needs another package ({error})"
        ) from None
    # zarr raises many kinds for damaged metadata and unreachable addresses.
    except Exception as error:
        raise SourceError(f"{address}: not a readable OME-Zarr ({first_line(error)})") from error


def _chosen_image(address: str, group: zarr.Group, series: int) -> Multiscale:
    import zarr

    paths = _image_paths(address, group)
    n_images = len(paths) or 1
    if series >= n_images:
        raise SourceError(
            f"{address}: series must be below {n_images} (it has {n_images} series), got {series}"
        )
    if not paths:
        return multiscale_of(address, group)
    try:
        found = group[paths[series]]
    except KeyError:
        found = None
    if not isinstance(found, zarr.Group):
        raise SourceError(f"{address}: the image {paths[series]!r} it names is missing")
    return multiscale_of(f"{address}/{paths[series]}", found)


def _image_paths(address: str, group: zarr.Group) -> list[str]:
    """Paths of the images of a group of several, empty for a single image."""
    import zarr

    facts = ome_attributes(group)
    if "multiscales" in facts:
        return []
    if "plate" in facts or "well" in facts:
        kind = "plate" if "plate" in facts else "well"
        raise SourceError(f"{address}: is a {kind}; give the path of one of its images")
    if "bioformats2raw.layout" not in facts and "labels" in facts:
        raise SourceError(f"{address}: holds labels, not images")
    named = facts.get("series")
    try:
        inner = group["OME"]
        named = (
            ome_attributes(inner).get("series", named) if isinstance(inner, zarr.Group) else named
        )
    except KeyError:
        pass
    if isinstance(named, list) and named:
        for path in named:
            check_inside(address, str(path))
        return [str(path) for path in named]
    numbered = sorted((key for key in group.group_keys() if key.isdecimal()), key=int)
    if not numbered:
        raise SourceError(f"{address}: must be an OME-Zarr image, its multiscales are missing")
    return numbered


def _level(address: str, group: zarr.Group, path: str) -> zarr.Array[Any]:
    import zarr

    try:
        found = group[path]
    except KeyError:
        found = None
    # zarr raises many kinds for damaged metadata.
    except Exception as error:
        raise SourceError(
            f"{address}: its array {path!r} is damaged ({first_line(error)})"
        ) from error
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
    return FocusStack(
        data=levels[0],
        name=name,
        voxel_size_um=sizes,
        z_positions_um=None if step_um is None else evenly(n_slices, step_um, starts[0]),
        origin_yx_um=(starts[1], starts[2]),
        channels=channels if len(channels) == levels[0].shape[1] else (),
        levels=_shrinking(levels),
        metadata=metadata,
        notes=plan.notes,
    )


def _shrinking(levels: tuple[da.Array, ...]) -> tuple[da.Array, ...]:
    """Levels that only lose pixels in Y and X, which is what a display can use."""
    first = levels[0]
    return tuple(
        level
        for level in levels
        if level.shape[:3] == first.shape[:3] and level.shape[5:] == first.shape[5:]
    )
