"""Single images as files: recognised by their content, checked by their headers, decoded."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import check_dtype
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.tiff_check import is_tiff

if TYPE_CHECKING:
    from numpy.typing import NDArray

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"

PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Samples of each PNG colour type; a palette (3) is looked up into RGB."""

MOST_UNPACKED = 8192
"""Bytes of pixels that a byte of a file can hold at most; PNG reaches 1032, JPEG about 1536."""

START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class ImageHeader:
    """What a header says of an image.

    Attributes
    ----------
    path : Path
        Its file.
    kind : str
        ``"png"`` or ``"jpeg"``.
    shape : tuple of int
        (Y, X), (Y, X, 3) or (Y, X, 4).
    dtype : numpy.dtype
        uint8 or uint16.
    """

    path: Path
    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    note: str = ""


def kind_of(path: Path) -> str | None:
    """``"tiff"``, ``"png"`` or ``"jpeg"`` by the first bytes of a file, None for others."""
    with path.open("rb") as file:
        head = file.read(16)
    if is_tiff(head):
        return "tiff"
    if head.startswith(PNG_START):
        return "png"
    return "jpeg" if head.startswith(JPEG_START) else None


def read_header(path: Path, kind: str) -> ImageHeader:
    """Read the header of a PNG or JPEG and check that the file is whole.

    Raises
    ------
    SourceError
        If it is truncated, or of a kind that holds no plain intensities.
    """
    with path.open("rb") as file:
        header = _png_header(file, path) if kind == "png" else _jpeg_header(file, path)
        size = os.fstat(file.fileno()).st_size
    if 0 in header.shape:
        raise SourceError(f"{path}: every axis must have a length above 0, found {header.shape}")
    n_bytes = math.prod(header.shape) * header.dtype.itemsize
    if n_bytes > size * MOST_UNPACKED:
        raise SourceError(
            f"{path}: damaged {kind.upper()}, it should hold {n_bytes} bytes of pixels in {size}"
        )
    return header


def decode_image(header: ImageHeader) -> NDArray[np.generic]:
    """Decode a PNG or JPEG, in the order its pixels are stored (EXIF rotation is ignored).

    Returns
    -------
    ndarray
        Of the header's shape and pixel type.

    Raises
    ------
    SourceError
        That names the file, if its data are damaged.
    """
    import imagecodecs

    decode = imagecodecs.png_decode if header.kind == "png" else imagecodecs.jpeg8_decode
    try:
        found = decode(header.path.read_bytes())
    # The decoders have error classes of their own, and raise others besides.
    except Exception as error:
        raise SourceError(
            f"{header.path}: damaged {header.kind.upper()} ({first_line(error)})"
        ) from error
    if found.ndim == 3 and len(header.shape) == 2:
        found = found[..., 0]
    elif found.ndim == 3 and found.shape[2] == 4 and header.shape[2] == 3:
        found = found[..., :3]
    if found.shape != header.shape or found.dtype != header.dtype:
        raise SourceError(
            f"{header.path}: its header says {header.shape} {header.dtype}, "
            f"its data are {found.shape} {found.dtype}"
        )
    return cast("NDArray[np.generic]", found)


def _png_header(file: BinaryIO, path: Path) -> ImageHeader:
    size = os.fstat(file.fileno()).st_size
    file.seek(len(PNG_START))
    first: bytes | None = None
    while True:
        start = file.read(8)
        if len(start) < 8:
            raise SourceError(f"{path}: truncated PNG, it has no end chunk")
        length, kind = struct.unpack(">I4s", start)
        if first is None:
            first = file.read(13)
            if kind != b"IHDR" or length != 13 or len(first) < 13:
                raise SourceError(f"{path}: damaged PNG, its header is missing or cut short")
            file.seek(4, os.SEEK_CUR)
        else:
            file.seek(length + 4, os.SEEK_CUR)
        if file.tell() > size:
            raise SourceError(
                f"{path}: truncated PNG, {file.tell()} bytes are needed but the file has {size}"
            )
        if kind == b"IEND":
            break
    width, height, bits, color = struct.unpack(">IIBB", first[:10])
    if bits == 1 and color == 0:
        check_dtype(str(path), np.bool_)
    if color not in PNG_SAMPLES or bits not in (1, 2, 4, 8, 16):
        raise SourceError(f"{path}: damaged PNG, colour type {color} of {bits} bits is unknown")
    samples = PNG_SAMPLES[color]
    note = "The transparency of grey PNG images is left out." if color == 4 else ""
    shape = (height, width) if samples < 3 else (height, width, samples)
    return ImageHeader(path, "png", shape, np.dtype("u2" if bits == 16 else "u1"), note)


def _jpeg_header(file: BinaryIO, path: Path) -> ImageHeader:
    truncated = SourceError(f"{path}: truncated JPEG, it breaks off before its end marker")
    header: ImageHeader | None = None
    file.seek(2)
    while True:
        data = file.read(2)
        while len(data) == 2 and data == b"\xff\xff":
            data = data[1:] + file.read(1)
        if len(data) < 2:
            raise truncated
        if data[0] != 0xFF:
            raise SourceError(f"{path}: damaged JPEG, no marker where one must be")
        length = file.read(2)
        if len(length) < 2:
            raise truncated
        (n_bytes,) = struct.unpack(">H", length)
        body_start = file.tell()
        if data[1] in START_OF_FRAME:
            header = _frame_header(file.read(6), path)
        if data[1] == 0xDA:
            break
        file.seek(body_start + n_bytes - 2)
    if header is None:
        raise SourceError(f"{path}: damaged JPEG, it has no frame header")
    if not _has_end(file, file.tell()):
        raise truncated
    return header


def _frame_header(data: bytes, path: Path) -> ImageHeader:
    if len(data) < 6:
        raise SourceError(f"{path}: truncated JPEG, its header is cut short")
    bits, height, width, samples = struct.unpack(">BHHB", data)
    if bits != 8 or samples not in (1, 3):
        raise SourceError(
            f"{path}: a JPEG must have 1 or 3 samples of 8 bits, found {samples} of {bits} bits"
        )
    shape = (height, width) if samples == 1 else (height, width, samples)
    return ImageHeader(path, "jpeg", shape, np.dtype("u1"))


def _has_end(file: BinaryIO, scan_start: int) -> bool:
    """Whether the end marker follows; searched from the end, where it nearly always is."""
    block_bytes = 65536
    stop = os.fstat(file.fileno()).st_size
    while stop > scan_start:
        start = max(scan_start, stop - block_bytes)
        file.seek(start)
        if b"\xff\xd9" in file.read(stop - start):
            return True
        # Overlap by a byte, lest the marker lie across two blocks.
        stop = start + 1 if start > scan_start else scan_start
    return False
