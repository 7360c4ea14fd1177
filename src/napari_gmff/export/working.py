"""The working store: a Zarr group already laid out as the final OME-Zarr, filled block by block."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import OutputError

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec

CHUNK_PX = 512
"""Side of a chunk; also the tile of the OME-TIFF, so that export reads each chunk once."""


def create_working_store(
    path: str | Path, specs: Iterable[ImageSpec], chunk_px: int = CHUNK_PX
) -> zarr.Group:
    """Create the Zarr v3 group that a fusion writes to.

    Parameters
    ----------
    path : str or Path
        Folder to create; may exist if it is empty.
    specs : iterable of ImageSpec
        Images to make room for, each as ``<name>/0``.
    chunk_px : int
        Side of the chunks in pixels.

    Returns
    -------
    zarr.Group
        The group at `path`, open for writing.

    Raises
    ------
    OutputError
        If `path` exists and is not an empty folder, or cannot be written.
    """
    import zarr

    from napari_gmff.export.atomic import translate_os_errors

    root = Path(path)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputError(f"{root}: a working store needs a new or empty folder")
    with translate_os_errors(root):
        group = zarr.open_group(str(root), mode="a", zarr_format=3)
        for spec in specs:
            create_level(group, spec, 0, spec.shape_yx, chunk_px)
    return group


def create_level(
    group: zarr.Group,
    spec: ImageSpec,
    level: int,
    shape_yx: tuple[int, int],
    chunk_px: int = CHUNK_PX,
) -> zarr.Array[Any]:
    """Create the empty array ``<name>/<level>``, replacing one of that name.

    Parameters
    ----------
    group : zarr.Group
        Root of the store.
    spec : ImageSpec
        The image; its T and C axes and dtype are those of every level.
    level : int
        Pyramid level, 0 for full resolution.
    shape_yx : tuple of int
        Height and width of this level in pixels.
    chunk_px : int
        Side of the chunks in pixels.
    """
    from zarr.codecs import BloscCodec

    leading = len(spec.axes) - 2
    return group.create_array(
        f"{spec.name}/{level}",
        shape=(*spec.shape[:leading], *shape_yx),
        chunks=(1,) * leading + (min(chunk_px, shape_yx[0]), min(chunk_px, shape_yx[1])),
        dtype=spec.dtype,
        # A pixel of a depth map that nothing was written to is no data, not depth 0.
        fill_value=np.nan if spec.kind == "depth" else 0,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        dimension_names=tuple(spec.axes),
        overwrite=True,
    )


def level_array(group: zarr.Group, name: str, level: int = 0) -> zarr.Array[Any]:
    """Return the array ``<name>/<level>`` of a store.

    Raises
    ------
    OutputError
        If the store holds no such array.
    """
    import zarr

    found = group.get(f"{name}/{level}")
    if not isinstance(found, zarr.Array):
        raise OutputError(f"the store of the result holds no array {name}/{level}")
    return found


def store_root(group: zarr.Group) -> Path:
    """Return the folder of a store on disk.

    Raises
    ------
    OutputError
        If the store is not a local folder.
    """
    from zarr.storage import LocalStore

    if not isinstance(group.store, LocalStore):
        raise OutputError(f"a result is written to a local folder, not to {group.store_path}")
    return Path(group.store.root) / group.path


def write_block(
    group: zarr.Group,
    spec: ImageSpec,
    t: int,
    y_slice: slice,
    x_slice: slice,
    block: NDArray[Any],
) -> None:
    """Write one block of full resolution; blocks need not align with chunks.

    Parameters
    ----------
    group : zarr.Group
        As `create_working_store` returned it. Write from one thread at a time: a chunk on the
        border of two blocks is read, changed and written back.
    spec : ImageSpec
        The image to write to.
    t : int
        Time point in the result, from 0.
    y_slice, x_slice : slice
        Place of the block in pixels, start and stop given.
    block : ndarray
        Axes (C)YX as in `spec` without T; of the dtype of `spec`.

    Raises
    ------
    OutputError
        If the disk is full or the store cannot be written.
    """
    from napari_gmff.export.atomic import translate_os_errors

    block = np.asarray(block)
    height, width = y_slice.stop - y_slice.start, x_slice.stop - x_slice.start
    expected = (*spec.shape[:-2][int("t" in spec.axes) :], height, width)
    # A silent cast would break the promise that fused pixels are copied bit for bit.
    if block.dtype != spec.dtype or block.shape != expected:
        raise ValueError(
            f"block of {spec.name} must be {spec.dtype} {expected}, got {block.dtype} {block.shape}"
        )
    array = level_array(group, spec.name)
    with translate_os_errors(store_root(group)):
        array[block_index(spec, t, y_slice, x_slice)] = block


def read_block(
    group: zarr.Group, spec: ImageSpec, t: int, y_slice: slice, x_slice: slice
) -> NDArray[Any]:
    """Read what `write_block` wrote.

    Parameters
    ----------
    group, spec, t, y_slice, x_slice
        As for `write_block`.

    Returns
    -------
    ndarray
        Axes (C)YX, of the dtype of `spec`.

    Raises
    ------
    Exception
        Whatever zarr and its codecs raise on a damaged chunk.
    """
    return np.asarray(level_array(group, spec.name)[block_index(spec, t, y_slice, x_slice)])


def block_index(spec: ImageSpec, t: int, y_slice: slice, x_slice: slice) -> tuple[int | slice, ...]:
    """Return the index of a block in the array of an image: all channels of one time point."""
    leading: tuple[int | slice, ...] = (t,) if "t" in spec.axes else ()
    if "c" in spec.axes:
        leading = (*leading, slice(None))
    return (*leading, y_slice, x_slice)
