"""Saved results, recognised on disk and described as the layers that they were."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_gmff._napari.layers.result_layers import (
    SHOWN,
    SHOWN_RESTORED,
    layer_channels,
    layer_levels,
    result_layer_kwargs,
)
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.stack_layers import LayerTuple, short_name
from napari_gmff.errors import SourceError
from napari_gmff.export.atomic import is_result
from napari_gmff.export.display import display_limits, sample_of
from napari_gmff.export.imagej_tiff import open_imagej_image
from napari_gmff.export.layout import IMAGE_NAMES, Geometry, ImageSpec, Kind, file_stem
from napari_gmff.export.pyramid import level_shapes
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.marks import RESTORATION_KEY, is_of_restored, marked, unmarked
from napari_gmff.provenance import FILE_NAME, read_provenance
from napari_gmff.reading.computing import computed
from napari_gmff.reading.open import read_stack
from napari_gmff.restoration.images import CONTRADICTION_UNIT, restoration_title
from napari_gmff.result_images import BLENDED_TITLE
from napari_gmff.results import kind_of_result, open_result

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_gmff.live_images import Place
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.stored_images import StoredImages

SAVED_KEY = "saved"
"""Key among the facts of a result layer that names the `SavedSet` it was opened from."""

_OPENERS: dict[str, Callable[[Path], FocusStack]] = {
    ".ome.tif": read_stack,
    ".tif": open_imagej_image,
}
_COPY_PX = 2048

_KINDS: dict[str, Kind] = {
    "fused": "intensity",
    "focus_index": "index",
    "depth": "depth",
    "confidence": "confidence",
    "depth_unrefined": "depth",
    "max_projection": "intensity",
    "corrected": "mask",
    "restored": "intensity",
    "restored_mean": "intensity",
    "restoration_mask": "mask",
    "difference": "difference",
    "abs_difference": "amount",
    "spread": "amount",
    "contradiction": "amount",
}


@dataclass(frozen=True, eq=False)
class SavedSet:
    """A result on disk, in any format.

    Attributes
    ----------
    path : Path
        OME-Zarr folder, or folder of OME-TIFF files.
    images : dict of str to ImageSpec
        What it holds, by name.
    geometry : Geometry
        Where its pixels lie.
    provenance : dict
        Record of the run.
    levels : dict of str to list of dask.array.Array
        Pyramid of each image, finest first, axes as in its spec.
    set_id : str
        Stands in the metadata of layers that are made from it.
    """

    path: Path
    images: dict[str, ImageSpec]
    geometry: Geometry
    provenance: dict[str, Any]
    levels: dict[str, list[da.Array]]
    set_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Stay the same object: napari copies the metadata of layers."""
        return self

    @property
    def name(self) -> str:
        """Name of the stack that was fused."""
        return short_name(str(self.provenance["source"]["name"]))

    def as_result(self) -> StoredImages:
        """Return it as a result that can be saved again; to be closed by the caller.

        Raises
        ------
        SourceError
            If it is no longer there.
        """
        if (self.path / FILE_NAME).is_file():
            return self._copied()
        return open_result(self.path)

    def iter_blocks(self, name: str) -> Iterator[tuple[int, Place, NDArray[Any]]]:
        """Read an image in full resolution block by block.

        Yields
        ------
        tuple of int, (slice, slice) and ndarray
            Time point, rows and columns, and pixels with the axes (C)YX.
        """
        spec, finest = self.images[name], self.levels[name][0]
        for time in range(spec.n_times):
            plane = finest[time] if "t" in spec.axes else finest
            for rows, columns in _blocks(spec.shape_yx):
                yield time, (rows, columns), computed(plane[..., rows, columns])

    def _copied(self) -> StoredImages:
        """Return a copy in a temporary store, made block by block."""
        folder = Path(tempfile.mkdtemp(prefix="napari-gmff-"))
        kind = kind_of_result(self.images, self.provenance)
        result = kind(self.images, self.geometry, dict(self.provenance), folder, is_temporary=True)
        try:
            group = create_working_store(folder, self.images.values())
            for name, spec in self.images.items():
                for time, (rows, columns), block in self.iter_blocks(name):
                    write_block(group, spec, time, rows, columns, block)
        except BaseException:
            result.close()
            raise
        return result


def saved_place(path: Path) -> tuple[Path, str | None] | None:
    """Say which saved result a path belongs to, after a short look.

    Parameters
    ----------
    path : Path
        OME-Zarr, folder of OME-TIFF files, its ``provenance.json``, or one of its images.

    Returns
    -------
    tuple of Path and (str or None), or None
        Folder of the result, and the image that was meant where it is only one; None if the path
        is no part of a result of this program.
    """
    if path.is_dir():
        return (path, None) if is_result(path) else None
    if path.name == FILE_NAME and is_result(path.parent):
        return path.parent, None
    stem = path.name.removesuffix(".tif").removesuffix(".ome")
    image = next((name for name in IMAGE_NAMES if file_stem(name) == stem), None)
    # Its neighbour tells that it is a result: the file alone may be anyone's.
    if image is not None and (path.parent / FILE_NAME).is_file() and is_result(path.parent):
        return path.parent, image
    return None


def open_saved(folder: Path) -> SavedSet:
    """Open a saved result lazily.

    Raises
    ------
    SourceError
        If it is none, or damaged.
    """
    if (folder / FILE_NAME).is_file():
        return _open_tiffs(folder)
    result = open_result(folder)
    levels = {
        name: [result.image(name, level) for level in range(len(level_shapes(spec.shape_yx)))]
        for name, spec in result.images.items()
    }
    return SavedSet(folder, result.images, result.geometry, result.provenance, levels)


def shown_names(images: Collection[str]) -> list[str]:
    """Return which images of a result become layers, from the bottom of the layer list to its top.

    Parameters
    ----------
    images : collection of str
        Names of those that it has.
    """
    return [name for name in (*SHOWN, *SHOWN_RESTORED) if name in images]


def layers_of_saved(saved: SavedSet, only: str | None = None) -> list[LayerTuple]:
    """Describe the layers of a saved result, the fused image last and so on top.

    Parameters
    ----------
    saved : SavedSet
        As `open_saved` gives it.
    only : str, optional
        The one image that is wanted.

    Returns
    -------
    list of (data, dict, str)
        The same layers as after the fusion; they belong to no `ResultSet`.
    """
    names = [only] if only is not None else shown_names(saved.images)
    layers: list[LayerTuple] = []
    for name in names:
        spec = saved.images[name]
        for channel in layer_channels(spec, saved.geometry):
            levels = layer_levels(spec, saved.geometry, saved.levels[name], channel)
            kwargs = result_layer_kwargs(
                spec, saved.geometry, saved.provenance, saved.name, channel=channel
            )
            if spec.kind in ("difference", "amount"):
                sample = sample_of(spec, saved.levels[name][-1], channel or 0)
                kwargs["contrast_limits"] = display_limits(spec, sample)
            kwargs["metadata"][METADATA_KEY][SAVED_KEY] = saved
            kwargs["multiscale"] = len(levels) > 1
            layers.append((levels if len(levels) > 1 else levels[0], kwargs, "image"))
    return layers


def _open_tiffs(folder: Path) -> SavedSet:
    provenance = read_provenance(folder)
    stacks = {}
    for name, ending in product(IMAGE_NAMES, _OPENERS):
        file = folder / f"{file_stem(name)}{ending}"
        if file.is_file():
            stacks[name] = _OPENERS[ending](file)
    if not stacks:
        raise SourceError(f"{folder}: its images are missing, only {FILE_NAME} is there")
    is_rgb = any(stack.has_samples for stack in stacks.values())
    first = next(iter(stacks.values()))
    geometry = Geometry(first.voxel_size_um[1:], first.origin_yx_um, is_rgb=is_rgb)
    unit = "slice" if provenance["slices"]["z_um"] is None else "µm"
    n_seeds = len(provenance.get(RESTORATION_KEY, {}).get("seeds", ()))
    images, levels = {}, {}
    for name, stack in stacks.items():
        levels[name] = [_plane_axes(level, stack) for level in stack.levels]
        title = restoration_title(name, n_seeds)
        if name == "fused" and not provenance.get("pixels_copied", True):
            title = BLENDED_TITLE
        title = marked(title) if is_of_restored(provenance) else title
        images[name] = _spec(name, stack, levels[name][0].shape, unit, title)
    return SavedSet(folder, images, geometry, provenance, levels)


def _plane_axes(level: da.Array, stack: FocusStack) -> da.Array:
    """Bring an array of axes (T, C, 1, Y, X[, S]) into the axes (T)(C)YX of an image."""
    if stack.has_samples:
        level = level[:, 0, 0].transpose((0, 3, 1, 2))
    else:
        level = level[:, :, 0]
    time = slice(None) if level.shape[0] > 1 else 0
    channel = slice(None) if level.shape[1] > 1 else 0
    return level[time, channel]


def _spec(name: str, stack: FocusStack, shape: Sequence[int], unit: str, title: str) -> ImageSpec:
    kind = _KINDS[name]
    t_axis = "t" if stack.n_times > 1 else ""
    samples = stack.data.shape[-1] if stack.has_samples else 0
    c_axis = "c" if stack.n_channels > 1 or samples else ""
    channels = tuple(replace(one, name=unmarked(one.name)) for one in stack.channels)
    return ImageSpec(
        name,
        f"{t_axis}{c_axis}yx",
        tuple(shape),
        stack.dtype,
        kind,
        unit if kind == "depth" else CONTRADICTION_UNIT if name == "contradiction" else None,
        channels=channels if (kind == "intensity" or c_axis) and not samples else (),
        title=title,
    )


def _blocks(shape_yx: tuple[int, int]) -> list[tuple[slice, slice]]:
    height, width = shape_yx
    return [
        (slice(y, min(y + _COPY_PX, height)), slice(x, min(x + _COPY_PX, width)))
        for y in range(0, height, _COPY_PX)
        for x in range(0, width, _COPY_PX)
    ]
