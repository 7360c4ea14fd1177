"""The segments of a CZI checked before Zeiss' library sees them: some damage crashes it.

Layout from the documentation of libCZI (ZISRAW, "CZI file format").
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from napari_gmff.errors import SourceError

_HEADER_BYTES = 32
"""Of each segment: its name, the room it has, and what is used of it."""

_DIRECTORY_PLACE = 84
"""Of the position of the directory in a file."""

_ENTRIES_START = 128
"""Of a directory's data, after the number of entries and room for more."""

_ENTRY_BYTES, _AXIS_BYTES = 32, 20
_FIXED_BYTES = 256
"""Least room for the sizes and the entry at the start of a subblock's data."""

_MOST_SPREAD = 100
"""Times the area of a scene may be that of its tiles: regions of odd shapes have gaps."""

_MOST_ENTRIES = 50_000_000
_BYTES_PER_PX = {0: 1, 1: 2, 2: 4, 3: 3, 4: 6}
"""By pixel type; others are not read."""


class Subblock(NamedTuple):
    """An entry of the directory.

    Attributes
    ----------
    place : int
        First byte of its segment.
    n_bytes : int
        Pixels that it must hold at least.
    entry : bytes
        The entry itself, which the segment repeats, but for places in the file.
    axes : dict
        Start and length along each axis, by its letter.
    is_reduced : bool
        Whether it belongs to the pyramid.
    """

    place: int
    n_bytes: int
    entry: bytes
    axes: dict[str, tuple[int, int]]
    is_reduced: bool


def check_segments(path: Path) -> list[Subblock]:
    """Check that every subblock that the directory lists lies whole within the file.

    Returns
    -------
    list of Subblock
        Those of full size.

    Raises
    ------
    SourceError
        That names the file, and what does not fit.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            found = _subblocks(file)
            for number, one in enumerate(found):
                if not _fits(file, one, size):
                    raise SourceError(
                        f"{path}: damaged Zeiss CZI file, its subblock {number} is cut short or "
                        "contradicts the directory"
                    )
        except SourceError:
            raise
        except (struct.error, ValueError, OverflowError) as error:
            raise SourceError(f"{path}: damaged Zeiss CZI file ({error})") from error
    return [one for one in found if not one.is_reduced]


def check_planes(path: Path, subblocks: Sequence[Subblock]) -> None:
    """Check that no plane is missing, as Zeiss' library would make it of zeros.

    Raises
    ------
    SourceError
        That counts the planes of a scene; or if its subblocks are implausibly far apart.
    """
    scenes: dict[int, list[Subblock]] = {}
    for one in subblocks:
        scenes.setdefault(one.axes.get("S", (0, 1))[0], []).append(one)
    ranges = [_range(subblocks, axis) for axis in "TCZ"]
    wanted = math.prod(stop - start for start, stop in ranges)
    for scene, parts in scenes.items():
        there = {tuple(one.axes.get(axis, (0, 1))[0] for axis in "TCZ") for one in parts}
        if len(there) != wanted:
            raise SourceError(
                f"{path}: {wanted} planes are described for scene {scene}, found {len(there)}"
            )
        (top, bottom), (left, right) = (_range(parts, axis) for axis in "YX")
        covered = sum(one.axes["Y"][1] * one.axes["X"][1] for one in parts) / wanted
        if (bottom - top) * (right - left) > _MOST_SPREAD * max(1, covered):
            raise SourceError(
                f"{path}: damaged Zeiss CZI file, scene {scene} is {right - left} × {bottom - top} "
                "px, and hardly any of it is there"
            )


def _range(subblocks: Sequence[Subblock], axis: str) -> tuple[int, int]:
    """First place along an axis, and the one after the last."""
    spans = [one.axes.get(axis, (0, 1)) for one in subblocks]
    return min(start for start, _ in spans), max(start + length for start, length in spans)


def _subblocks(file: BinaryIO) -> list[Subblock]:
    (directory,) = struct.unpack("<q", _read(file, _DIRECTORY_PLACE, 8))
    name, room, used = _segment(file, directory)
    if name != b"ZISRAWDIRECTORY":
        raise ValueError("its directory is missing")
    (count,) = struct.unpack("<i", file.read(4))
    if not 0 < count <= _MOST_ENTRIES:
        raise ValueError(f"its directory lists {count} subblocks")
    data = _read(
        file, directory + _HEADER_BYTES + _ENTRIES_START, max(0, (used or room) - _ENTRIES_START)
    )
    found: list[Subblock] = []
    place = 0
    for _ in range(count):
        found.append(_subblock(data, place))
        place += len(found[-1].entry)
    return found


def _subblock(data: bytes, place: int) -> Subblock:
    schema, kind, position, _, compression, n_axes = struct.unpack_from("<2siqii6xi", data, place)
    if schema != b"DV" or not 0 <= n_axes <= 64:
        raise ValueError("an entry of its directory is of no known kind")
    n_bytes = _BYTES_PER_PX.get(kind, 1) if compression == 0 else 1
    axes: dict[str, tuple[int, int]] = {}
    is_reduced = False
    end = place + _ENTRY_BYTES
    for _ in range(n_axes):
        name, first, length, _, stored = struct.unpack_from("<4siifi", data, end)
        end += _AXIS_BYTES
        letter = name.rstrip(b"\x00").decode("ascii")
        if length < 0 or stored < 0 or letter in axes:
            raise ValueError(f"the axis {letter!r} of a subblock is damaged")
        axes[letter] = first, length
        if letter in ("X", "Y"):
            is_reduced = is_reduced or 0 < stored != length
            n_bytes *= (stored or length) if compression == 0 else 1
    if not {"X", "Y"} <= set(axes):
        raise ValueError("a subblock has no X or Y axis")
    return Subblock(position, n_bytes, data[place:end], axes, is_reduced)


def _fits(file: BinaryIO, one: Subblock, size: int) -> bool:
    if not 0 < one.place < size:
        return False
    name, room, _ = _segment(file, one.place)
    metadata, attachment, n_bytes = struct.unpack("<iiq", file.read(16))
    if name != b"ZISRAWSUBBLOCK" or min(metadata, attachment, n_bytes) < 0:
        return False
    needed = max(_FIXED_BYTES, 16 + len(one.entry)) + metadata + attachment + n_bytes
    is_whole = needed <= room and one.place + _HEADER_BYTES + needed <= size
    # A program that moved the segment need not have told it its new place.
    own = _subblock(file.read(len(one.entry)), 0)
    is_same = (own.axes, own.n_bytes) == (one.axes, one.n_bytes)
    return is_whole and is_same and n_bytes >= one.n_bytes


def _segment(file: BinaryIO, place: int) -> tuple[bytes, int, int]:
    name, room, used = struct.unpack("<16sqq", _read(file, place, _HEADER_BYTES))
    return name.rstrip(b"\x00"), room, used


def _read(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    if not 0 <= place <= os.fstat(file.fileno()).st_size:
        raise ValueError("a position leads out of the file")
    file.seek(place)
    return file.read(min(n_bytes, os.fstat(file.fileno()).st_size))
