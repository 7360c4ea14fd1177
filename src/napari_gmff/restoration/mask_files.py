"""Masks drawn elsewhere: PNG, TIFF, NumPy files, and label images of an OME-Zarr."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.failures import reading

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

_NPY_START = b"\x93NUMPY"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def read_mask(path: str | Path, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Read where pixels may be restored.

    Every value but 0 counts, so masks of 0 and 255 and label images serve too.

    Parameters
    ----------
    path : str or Path
        PNG, TIFF or ``.npy`` file, or the folder of an OME-Zarr: a label image, an image with one
        label image, or a plain array.
    shape : sequence of int
        Of the fused image without channels, (Y, X) or (T, Y, X). Nothing larger is decoded.

    Returns
    -------
    ndarray, bool
        Axes YX or TYX.

    Raises
    ------
    SourceError
        If the file is missing, damaged, or holds no mask.
    ParameterError
        If it has another size than the fused image.
    """
    path, wanted = Path(path), tuple(shape)
    try:
        values = _zarr_values(path, wanted) if path.is_dir() else _file_values(path, wanted)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(f"{path}: mask cannot be read ({reason})") from None
    values = values.reshape(_without_single(values.shape))
    if values.dtype.kind not in "buif":
        raise SourceError(f"{path}: a mask must hold numbers, found {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise SourceError(f"{path}: a mask must hold 0 and 1, found NaN or infinity")
    return np.asarray(values != 0)


def _file_values(path: Path, wanted: tuple[int, ...]) -> NDArray[Any]:
    with path.open("rb") as file:
        head = file.read(24)
    if head.startswith(_NPY_START):
        return _npy_values(path, wanted)
    if head.startswith(_PNG_START) and len(head) == 24:
        return _png_values(path, head, wanted)
    if head.startswith(_TIFF_STARTS):
        return _tiff_values(path, wanted)
    raise SourceError(
        f"{path}: a mask must be a PNG, TIFF or .npy file or a folder of an OME-Zarr, found a file "
        f"that begins with {head[:8]!r}"
    )


def _npy_values(path: Path, wanted: tuple[int, ...]) -> NDArray[Any]:
    try:
        # Mapped, so that the header is checked before anything is read; objects would be pickles.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise SourceError(f"{path}: not a .npy file of plain numbers ({error})") from None
    _check_size(path, values.shape, wanted)
    return np.array(values)


def _png_values(path: Path, head: bytes, wanted: tuple[int, ...]) -> NDArray[Any]:
    import imagecodecs

    width, height = struct.unpack(">II", head[16:24])
    _check_size(path, (height, width), wanted)
    with reading(str(path)):
        values = np.asarray(imagecodecs.png_decode(path.read_bytes()))
    if values.ndim == 3:
        colors = values[..., :3] if values.shape[2] > 2 else values[..., :1]
        if (colors != colors[..., :1]).any():
            raise SourceError(f"{path}: a mask must be grey, found colours")
        values = colors[..., 0]
    return values


def _tiff_values(path: Path, wanted: tuple[int, ...]) -> NDArray[Any]:
    import tifffile

    from napari_gmff.reading.tiff_open import choose_series, open_tiff

    found = choose_series(open_tiff(path), 0)
    _check_size(path, found.shape, wanted)
    with reading(str(path)):
        return np.asarray(tifffile.imread(path, series=0))


def _zarr_values(path: Path, wanted: tuple[int, ...]) -> NDArray[Any]:
    array = _array_of(path)
    _check_size(path, array.shape, wanted)
    with reading(str(path)):
        return np.asarray(array[...])


def _array_of(path: Path) -> zarr.Array[Any]:
    """Find the full size array of a label image, or of the one label image of an image."""
    import zarr

    from napari_gmff.reading.ome_zarr_metadata import multiscale_of, ome_attributes
    from napari_gmff.reading.zarr_nodes import member, open_node

    address = str(path)
    node = open_node(address)
    if isinstance(node, zarr.Array):
        return node
    labels = member(address, node, "labels")
    if isinstance(labels, zarr.Group):
        names = [str(name) for name in ome_attributes(labels).get("labels") or ()]
        if len(names) != 1:
            listed = ", ".join(names) or "none"
            raise SourceError(f"{path}: must have one label image, found {listed}; name its folder")
        address = f"{address}/labels/{names[0]}"
        found = member(str(path), labels, names[0])
        if not isinstance(found, zarr.Group):
            raise SourceError(f"{address}: its label image is missing")
        node = found
    image = multiscale_of(address, node)
    level = member(address, image.group, image.paths[0])
    if not isinstance(level, zarr.Array):
        raise SourceError(f"{address}: its array {image.paths[0]!r} is missing")
    return level


def _check_size(path: Path, found: Sequence[int], wanted: tuple[int, ...]) -> None:
    if _without_single(found) in {_without_single(wanted), _without_single(wanted[-2:])}:
        return
    sizes = [" × ".join(map(str, shape)) for shape in (wanted, found)]
    raise ParameterError(
        f"{path}: a mask must have {sizes[0]} pixels as the fused image, found {sizes[1]}"
    )


def _without_single(shape: Sequence[int]) -> tuple[int, ...]:
    """Drop axes of one element in front of the last two, which are Y and X."""
    return (*(size for size in shape[:-2] if size != 1), *shape[-2:])
