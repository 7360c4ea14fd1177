"""Small files of microscope programs, written byte by byte from the public format descriptions.

Sources: Micro-Manager file formats (micro-manager.org/Micro-Manager_File_Formats), the README of
NDTiffStorage, MetaMorph's "STK file format" and Zeiss' "LSM 5/7 file format", as tifffile reads
them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

Entry = tuple[int, int, int, int]
"""Tag, type, count, value or offset."""

SHORT, LONG, RATIONAL, ASCII = 3, 4, 5, 2


def ifd(entries: Sequence[Entry], next_offset: int) -> bytes:
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + rows + struct.pack("<I", next_offset)


def page_entries(plane: np.ndarray, offset: int) -> list[Entry]:
    height, width = plane.shape
    return [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, plane.dtype.itemsize * 8),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 1),
        (273, LONG, 1, offset),
        (277, SHORT, 1, 1),
        (278, LONG, 1, height),
        (279, LONG, 1, plane.nbytes),
    ]


def write_mmstack(
    path: Path,
    planes: Mapping[tuple[int, int, int, int], np.ndarray],
    summary: Mapping[str, Any],
    plane_metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a Micro-Manager MMStack file of planes by (channel, slice, frame, position)."""
    said = json.dumps({"MicroManagerVersion": "2.0.0", "Frames": 1, **summary}).encode()
    metadata = json.dumps(plane_metadata or {}).encode()
    body = bytearray()
    start = 40 + len(said)
    index = []
    for number, (place, plane) in enumerate(planes.items()):
        offset = start + len(body)
        after = offset + 162 + plane.nbytes
        entries = [
            *page_entries(plane, offset + 162),
            (282, RATIONAL, 1, after),
            (283, RATIONAL, 1, after),
            (296, SHORT, 1, 3),
            (51123, ASCII, len(metadata), after + 8),
        ]
        end = after + 8 + len(metadata)
        body += ifd(entries, 0 if number == len(planes) - 1 else end)
        body += plane.tobytes() + struct.pack("<II", 1, 1) + metadata
        index.append(struct.pack("<5I", *place, offset))
    index_offset = start + len(body)
    body += struct.pack("<II", 3453623, len(index)) + b"".join(index)
    display_offset = start + len(body)
    body += struct.pack("<II", 347834724, 2) + b"[]"
    comments_offset = start + len(body)
    body += struct.pack("<II", 84720485, 2) + b"{}"
    head = struct.pack("<2sHI", b"II", 42, start)
    head += struct.pack("<II", 54773648, index_offset) + struct.pack(
        "<II", 483765892, display_offset
    )
    head += struct.pack("<II", 99384722, comments_offset)
    head += struct.pack("<II", 2355492, len(said)) + said
    path.write_bytes(head + body)
    return path


def write_ndtiff(
    folder: Path,
    planes: Sequence[tuple[Mapping[str, int | str], np.ndarray, Mapping[str, Any]]],
    summary: Mapping[str, Any],
    *,
    version: int = 3,
    planes_each: int = 1000,
) -> Path:
    """Write an NDTiff dataset of planes (axes, pixels, metadata) into one or more files."""
    folder.mkdir(parents=True)
    said = json.dumps(summary).encode()
    index = b""
    for number, first in enumerate(range(0, len(planes), planes_each)):
        name = "NDTiffStack.tif" if number == 0 else f"NDTiffStack_{number}.tif"
        minor = struct.pack("<I", 3) if version == 3 else b""
        head = struct.pack("<II", 483729, version) + minor + struct.pack("<II", 2355492, len(said))
        start = 8 + len(head) + len(said)
        body = bytearray()
        part = planes[first : first + planes_each]
        for count, (axes, plane, metadata) in enumerate(part):
            told = json.dumps(metadata).encode()
            offset = start + len(body)
            pixels = offset + 2 + 10 * 12 + 4
            after = pixels + plane.nbytes
            entries = [*page_entries(plane, pixels), (51123, ASCII, len(told), after)]
            body += ifd(entries, 0 if count == len(part) - 1 else after + len(told))
            body += plane.tobytes() + told
            key = json.dumps(axes).encode()
            kind = 0 if plane.dtype == np.uint8 else 1
            height, width = plane.shape
            index += struct.pack("<I", len(key)) + key
            index += struct.pack("<I", len(name)) + name.encode()
            index += struct.pack("<IiiiiIii", pixels, width, height, kind, 0, after, len(told), 0)
        (folder / name).write_bytes(struct.pack("<2sHI", b"II", 42, start) + head + said + body)
    (folder / "NDTiff.index").write_bytes(index)
    return folder


def rational(value: float) -> bytes:
    return struct.pack("<II", round(value * 10_000), 10_000)


def write_stk(
    path: Path,
    data: np.ndarray,
    *,
    calibration: float = 0.25,
    units: str = "um",
    distance: float = 0.0,
    stage: Sequence[float] = (),
) -> Path:
    """Write a MetaMorph stack of (Z, Y, X)."""
    n_planes = len(data)
    body = bytearray(struct.pack("<2sHI", b"II", 42, 0) + data.tobytes())
    x_at = len(body)
    body += rational(calibration)
    units_at = len(body)
    text = units.encode() + b"\x00"
    body += struct.pack("<I", len(text)) + text
    uic1_at = len(body)
    for tag, value in ((3, 1), (4, x_at), (5, x_at), (6, units_at)):
        body += struct.pack("<II", tag, value)
    uic2_at = len(body)
    for number in range(n_planes):
        body += rational(distance) + struct.pack("<4I", 2459000, number, 0, 0)
    uic3_at = len(body)
    body += rational(525.0) * n_planes
    uic4_at = len(body)
    if stage:
        body += struct.pack("<H", 40) + b"".join(rational(height) for height in stage)
        body += struct.pack("<H", 41) + struct.pack(f"<{n_planes}I", *[1] * n_planes)
    body += struct.pack("<H", 0)
    struct.pack_into("<I", body, 4, len(body))
    entries = [
        *page_entries(data[0], 8),
        (33628, LONG, 4, uic1_at),
        (33629, RATIONAL, n_planes, uic2_at),
        (33630, RATIONAL, n_planes, uic3_at),
        (33631, LONG, n_planes, uic4_at),
    ]
    path.write_bytes(bytes(body) + ifd(entries, 0))
    return path


def write_lsm(path: Path, data: np.ndarray, voxel_m: tuple[float, float, float]) -> Path:
    """Write a Zeiss LSM of (Z, 3, Y, X), with a thumbnail after each slice."""
    n_slices, n_channels, height, width = data.shape
    kind = 2 if data.dtype == np.uint16 else 1
    sizes = (width, height, n_slices, n_channels, 1, kind, 8, 8)
    z, y, x = voxel_m
    info = struct.pack("<Ii8i6d", 67127628, 0, *sizes, x, y, z, 1e-6, 2e-6, 0.0)
    info += struct.pack("<HHI", 0, 0, 0)
    info = info[:4] + struct.pack("<i", len(info)) + info[8:]
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for number, channels in enumerate(data):
            tags = [(34412, 7, len(info), info, True)] if number == 0 else []
            options = {"metadata": None, "photometric": "minisblack"}
            writer.write(channels, planarconfig="separate", extratags=tags, **options)
            writer.write(channels[:, ::8, ::8], planarconfig="separate", subfiletype=1, **options)
    return path
