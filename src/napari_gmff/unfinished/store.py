"""The half-filled store of a stopped run: what in it is as it was written, and what is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.export.working import block_index, level_array, read_block, store_root

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec

_SUM_BYTES = 16

Place = tuple[slice, slice]


def block_sums(
    blocks: Mapping[str, NDArray[Any]],
    specs: Mapping[str, ImageSpec],
    depth_min_confidence: float | None = None,
) -> dict[str, str]:
    """Return a checksum of each image's block.

    Parameters
    ----------
    blocks : mapping of str to ndarray
        Pixels by image name, axes (C)YX.
    specs : mapping of str to ImageSpec
        The images.
    depth_min_confidence : float, optional
        Depth counts as NaN where confidence, from 0 to 1, is lower. Finishing an OME-Zarr marks
        it so; a run that was stopped while doing that finds some pixels marked and others not.

    Returns
    -------
    dict of str to str
        Hexadecimal. Equal for 0 and -0, since a chunk of either may be left out of the store.
    """
    sums = {}
    unsure = None
    if depth_min_confidence is not None and "confidence" in blocks:
        unsure = blocks["confidence"] < depth_min_confidence
    for name, block in blocks.items():
        if unsure is not None and specs[name].kind == "depth":
            block = np.where(unsure, block.dtype.type(np.nan), block)
        sums[name] = _sum(block)
    return sums


def _sum(block: NDArray[Any]) -> str:
    if block.dtype.kind == "f":
        block = block + block.dtype.type(0)
        block[np.isnan(block)] = np.nan
    values = np.ascontiguousarray(block)
    digest = hashlib.blake2b(f"{values.dtype.name} {values.shape}".encode(), digest_size=_SUM_BYTES)
    digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()


def read_blocks(
    group: zarr.Group, specs: Mapping[str, ImageSpec], t: int, place: Place
) -> dict[str, NDArray[Any]] | None:
    """Read one window of all images; None where it cannot be read.

    Chunks that cannot be read are deleted: writing a part of one would have to read it first.

    Raises
    ------
    OSError
        If a damaged chunk cannot be deleted.
    """
    blocks = {}
    for name, spec in specs.items():
        try:
            blocks[name] = read_block(group, spec, t, *place)
        except Exception:  # whatever the codecs raise: each has errors of its own
            _delete_unreadable_chunks(group, spec, t, place)
    return blocks if len(blocks) == len(specs) else None


def _delete_unreadable_chunks(group: zarr.Group, spec: ImageSpec, t: int, place: Place) -> None:
    array = level_array(group, spec.name)
    units = _write_units(array)
    spans = []
    for index, size, unit in zip(block_index(spec, t, *place), array.shape, units, strict=True):
        start, stop, _ = _as_slice(index).indices(size)
        spans.append(range(start // unit, -(-stop // unit)))
    for coordinates in product(*spans):
        region = tuple(
            slice(number * unit, min((number + 1) * unit, size))
            for number, unit, size in zip(coordinates, units, array.shape, strict=True)
        )
        try:
            array[region]
        except Exception:
            _chunk_path(group, array, coordinates).unlink(missing_ok=True)


def _as_slice(index: int | slice) -> slice:
    return index if isinstance(index, slice) else slice(index, index + 1)


def _write_units(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Return the lengths of what is one file: a chunk, or a shard of many."""
    return tuple(array.shards or array.chunks)


def _chunk_path(group: zarr.Group, array: zarr.Array[Any], coordinates: tuple[int, ...]) -> Path:
    key = array.metadata.encode_chunk_key(coordinates)
    return store_root(group) / array.path / key


def metadata_files(root: Path) -> dict[str, str]:
    """Return the text of each file of a store that nothing was written to, by its path in it."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}


def restore_metadata(root: Path, files: Mapping[str, str]) -> None:
    """Make a store's metadata what it was before anything was written to it.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def delete_strays(group: zarr.Group, specs: Iterable[ImageSpec], files: Iterable[str]) -> None:
    """Delete all files of a store but its metadata and the chunks of full resolution.

    They are temporary files of writes that a kill cut off, and what finishing the result had
    begun to add; that is done again.
    """
    root = store_root(group)
    kept = {root / name for name in files}
    for spec in specs:
        array = level_array(group, spec.name)
        sizes = zip(array.shape, _write_units(array), strict=True)
        counts = (range(-(-size // unit)) for size, unit in sizes)
        kept |= {_chunk_path(group, array, coordinates) for coordinates in product(*counts)}
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept:
            path.unlink()
