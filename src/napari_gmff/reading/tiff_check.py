"""What a TIFF's header promises, compared with what the file holds, before anything is decoded."""

from __future__ import annotations

import logging
import math
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from napari_gmff.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFrame, TiffPage

MOST_PAGES = 1_000_000
MOST_TAGS = 65_535

TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
TYPE_BYTES |= {16: 8, 17: 8, 18: 8}

MOST_UNPACKED = {1: 16, 5: 4096, 8: 2048, 32773: 256, 32946: 2048}
"""Bytes of pixels that a byte can hold at most, by compression: none, LZW, Deflate, PackBits.

The limits of the codecs themselves are half of these numbers and less, which leaves room for strips
that reach beyond the page and for pixels of few bits.
"""

MOST_UNPACKED_ELSE = 2**20

NEEDED_TAGS = {258, 270, 273, 279, 324, 325, 330, 347, 50838, 50839}
"""Tags that must be whole: description, places of the pixels, pyramid, tables, ImageJ's own."""


def is_tiff(head: bytes) -> bool:
    """Whether a file that starts like this is a TIFF or BigTIFF."""
    return head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def count_pages(path: Path, name: str) -> int:
    """Follow the chain of pages to its end.

    Returns
    -------
    int
        Number of pages.

    Raises
    ------
    SourceError
        If the chain leads out of the file, as in a truncated one, or in a circle.
    """
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as file:
        order, offset, big = _first_page(file, name)
        while offset:
            if offset in seen or len(seen) > MOST_PAGES:
                raise SourceError(f"{name}: damaged TIFF, its chain of pages runs in a circle")
            if offset + 2 > size:
                raise SourceError(
                    f"{name}: truncated TIFF, page {len(seen)} should be at byte {offset} "
                    f"but the file has {size}"
                )
            seen.add(offset)
            offset = _next_page(file, offset, order, big, f"{name}: truncated TIFF", len(seen) - 1)
    if not seen:
        raise SourceError(f"{name}: a TIFF must hold at least one page, found none")
    return len(seen)


def check_pages(pages: Sequence[TiffPage | TiffFrame], n_wanted: int, name: str) -> None:
    """Check that pages are all there, list all their strips or tiles, and end within their files.

    Raises
    ------
    SourceError
        That names the page that does not.
    """
    if len(pages) != n_wanted:
        raise SourceError(f"{name}: {n_wanted} planes are described, found {len(pages)}")
    sizes: dict[Path, int] = {}
    for page in pages:
        offsets = np.asarray(page.dataoffsets, np.int64)
        counts = np.asarray(page.databytecounts, np.int64)
        n_segments = int(np.prod(page.chunked))
        if min(len(offsets), len(counts)) < n_segments:
            raise SourceError(
                f"{name}: damaged TIFF, page {page.index} must list {n_segments} strips or "
                f"tiles, found {min(len(offsets), len(counts))}"
            )
        path = Path(page.parent.filehandle.path)
        size = sizes.setdefault(path, path.stat().st_size)
        end = int((offsets[:n_segments] + counts[:n_segments]).max(initial=0))
        if end > size:
            named = name if path.name in name else f"{name}: {path.name}"
            raise SourceError(
                f"{named}: truncated TIFF, page {page.index} needs {end} bytes "
                f"but the file has {size}"
            )
        _check_unpacked(page, counts[:n_segments], name)


def _check_unpacked(page: TiffPage | TiffFrame, counts: NDArray[np.int64], name: str) -> None:
    """Refuse strips or tiles that are far too large for their bytes, before memory is taken."""
    filled = counts[counts > 0]
    keyframe = page.keyframe
    assert keyframe is not None
    itemsize = 1 if keyframe.dtype is None else keyframe.dtype.itemsize
    whole = math.prod(int(length) for length in keyframe.chunks) * itemsize
    packed, unpacked = int(filled.sum()), whole * len(filled)
    if unpacked > packed * MOST_UNPACKED.get(int(keyframe.compression), MOST_UNPACKED_ELSE):
        raise SourceError(
            f"{name}: damaged TIFF, page {page.index} should hold {unpacked} bytes of pixels "
            f"in {packed}"
        )


@contextmanager
def quiet_tifffile() -> Iterator[list[str]]:
    """Collect what tifffile logs instead of showing it: it is said better by our own errors."""
    found: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        found.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(collect)
    try:
        yield found
    finally:
        logger.removeFilter(collect)


def _first_page(file: BinaryIO, name: str) -> tuple[str, int, bool]:
    head = file.read(16)
    if not is_tiff(head) or len(head) < 8:
        raise SourceError(f"{name}: not a TIFF file")
    order = "<" if head[:2] == b"II" else ">"
    big = head[2 if order == "<" else 3] == 43
    if not big:
        return order, struct.unpack(order + "I", head[4:8])[0], False
    if len(head) < 16:
        raise SourceError(f"{name}: truncated TIFF, its header is cut short")
    return order, struct.unpack(order + "Q", head[8:16])[0], True


def _next_page(file: BinaryIO, offset: int, order: str, big: bool, problem: str, page: int) -> int:
    """Check the tags of a page and return where the next one is, 0 after the last."""
    count_format, entry_format, offset_format = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    size = os.fstat(file.fileno()).st_size
    file.seek(offset)
    data = file.read(struct.calcsize(order + count_format))
    is_whole = len(data) == struct.calcsize(order + count_format)
    count = struct.unpack(order + count_format, data)[0] if is_whole else MOST_PAGES
    entry_bytes, offset_bytes = (struct.calcsize(order + f) for f in (entry_format, offset_format))
    wanted = count * entry_bytes + offset_bytes
    data = file.read(wanted) if count <= MOST_TAGS else b""
    if len(data) != wanted:
        raise SourceError(f"{problem}, the tags of page {page} are cut short")
    for place in range(0, count * entry_bytes, entry_bytes):
        tag, kind, length, value = struct.unpack_from(order + entry_format, data, place)
        n_bytes = TYPE_BYTES.get(kind, 0) * length
        if tag in NEEDED_TAGS and n_bytes > offset_bytes and value + n_bytes > size:
            raise SourceError(
                f"{problem}, tag {tag} of page {page} needs {value + n_bytes} bytes but the file "
                f"has {size}"
            )
    return int(struct.unpack_from(order + offset_format, data, count * entry_bytes)[0])
