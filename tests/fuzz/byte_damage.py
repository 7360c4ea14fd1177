"""Ways to damage bytes: any, and those of TIFF, PNG and JPEG whose structure is known."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator

Damage = Callable[[bytes, random.Random], bytes]

TAG_TYPES = (1, 2, 3, 4, 5, 12, 13, 16, 18, 0, 19, 65535)
"""Types of tags of a TIFF; the last three are none."""

EXTREMES = (0, 1, 2, 3, 7, 255, 256, 4096, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)

TELLING_TAGS = (256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339)


def bit_flips(data: bytes, rng: random.Random) -> bytes:
    """Flip single bits, mostly near the start, where headers are."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16)) if found else 0):
        reach = min(len(found), rng.choice((16, 256, 10**9)))
        found[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(found)


def byte_run(data: bytes, rng: random.Random) -> bytes:
    """Overwrite a run with one value or with noise."""
    start, stop = _part(data, rng)
    run = rng.randbytes(stop - start) if rng.random() < 0.5 else rng.randbytes(1) * (stop - start)
    return data[:start] + run + data[stop:]


def cut(data: bytes, rng: random.Random) -> bytes:
    """End the file early."""
    return data[: rng.choice((rng.randrange(len(data) + 1), len(data) - 1, len(data) // 2, 8, 0))]


def removed(data: bytes, rng: random.Random) -> bytes:
    """Take a part out, so that all that follows moves."""
    start, stop = _part(data, rng)
    return data[:start] + data[stop:]


def doubled(data: bytes, rng: random.Random) -> bytes:
    """Write a part twice."""
    start, stop = _part(data, rng)
    return data[:stop] + data[start:]


ANY: tuple[Damage, ...] = (bit_flips, byte_run, cut, removed, doubled)


def tag_value(data: bytes, rng: random.Random) -> bytes:
    """Give a telling tag of a TIFF an extreme value."""
    places = [place for place in tag_entries(data) if place[1] in TELLING_TAGS]
    if not places:
        return bit_flips(data, rng)
    at, _, order, big = rng.choice(places)
    found = bytearray(data)
    format = order + ("Q" if big else "I")
    near = int.from_bytes(data[at + 8 : at + 10], "little" if order == "<" else "big")
    values = (*EXTREMES, near + 1, max(0, near - 1), near * 2, len(data), len(data) - 1)
    value = rng.choice(values + ((2**63, 2**64 - 1) if big else ()))
    if not big and rng.random() < 0.7:
        # As long numbers, so that the value does not depend on the byte order.
        struct.pack_into(order + "HI", found, at + 2, 4, 1)
    _put(found, format, at + (12 if big else 8), value)
    return bytes(found)


def tag_field(data: bytes, rng: random.Random) -> bytes:
    """Change the number, the type or the count of a tag."""
    places = list(tag_entries(data))
    if not places:
        return bit_flips(data, rng)
    at, _, order, big = rng.choice(places)
    found = bytearray(data)
    field = rng.choice(("tag", "type", "count"))
    if field == "tag":
        _put(
            found, order + "H", at, rng.choice((*TELLING_TAGS, 330, 347, 700, 33628, 34412, 50839))
        )
    elif field == "type":
        _put(found, order + "H", at + 2, rng.choice(TAG_TYPES))
    else:
        _put(found, order + ("Q" if big else "I"), at + 4, rng.choice(EXTREMES))
    return bytes(found)


def page_offset(data: bytes, rng: random.Random) -> bytes:
    """Lead the chain of pages elsewhere: into a circle, or out of the file."""
    links = list(_links(data))
    if not links:
        return bit_flips(data, rng)
    at, order, big = rng.choice(links)
    format = order + ("Q" if big else "I")
    targets = [struct.unpack_from(format, data, place)[0] for place, _, _ in links]
    found = bytearray(data)
    _put(found, format, at, rng.choice((*targets, 0, 8, len(data), len(data) - 2, 2**32 - 1)))
    return bytes(found)


def png_header(data: bytes, rng: random.Random) -> bytes:
    """Change size, depth or colour type of a PNG, with a right checksum."""
    found = bytearray(data)
    if rng.random() < 0.6:
        _put(found, ">I", rng.choice((16, 20)), rng.choice(EXTREMES))
    else:
        _put(found, ">B", rng.randrange(24, 29), rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)))
    _put(found, ">I", 29, zlib.crc32(found[12:29]))
    return bytes(found)


def png_chunk(data: bytes, rng: random.Random) -> bytes:
    """Change length, kind or contents of a chunk of a PNG, mostly with a right checksum."""
    starts = []
    at = 8
    while at + 12 <= len(data):
        starts.append(at)
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    if not starts:
        return bit_flips(data, rng)
    at, found = rng.choice(starts), bytearray(data)
    length = int.from_bytes(data[at : at + 4], "big")
    way = rng.randrange(3)
    if way == 0:
        _put(found, ">I", at, rng.choice((*EXTREMES, length + 1)))
    elif way == 1:
        found[at + 4 : at + 8] = rng.choice((b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"iCCP"))
    elif length:
        found[at + 8 + rng.randrange(length) % max(1, len(found) - at - 8)] ^= 1 << rng.randrange(8)
    end = at + 8 + length
    if way and end + 4 <= len(found) and rng.random() < 0.8:
        _put(found, ">I", end, zlib.crc32(found[at + 4 : end]))
    return bytes(found)


def jpeg_segment(data: bytes, rng: random.Random) -> bytes:
    """Change the marker, the length or a byte of a segment of a JPEG."""
    starts = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        starts.append(at)
        if data[at + 1] == 0xDA:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if not starts:
        return bit_flips(data, rng)
    frames = [start for start in starts if 0xC0 <= data[start + 1] <= 0xC2]
    at, found = rng.choice(starts + frames * 3), bytearray(data)
    way = rng.randrange(4)
    if way == 0:
        found[at + 1] = rng.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xD8, 0xD9, 0xDA, 0xDD, 0xFF))
    elif way == 1:
        _put(found, ">H", at + 2, rng.choice((0, 1, 2, 3, 65535)))
    elif way == 2:
        _put(found, ">H", at + rng.choice((5, 7)), rng.choice((0, 1, 8, 41, 4096, 65500, 65535)))
    elif at + 16 <= len(found):
        found[at + 4 + rng.randrange(12)] = rng.randrange(256)
    return bytes(found)


def _part(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 12, 64, 1024)))


def _put(found: bytearray, format: str, at: int, value: int) -> None:
    """Write a number where there is room for it."""
    n_bytes = struct.calcsize(format)
    if at + n_bytes <= len(found):
        found[at : at + n_bytes] = struct.pack(format, value % 2 ** (8 * n_bytes))


def _links(data: bytes) -> Iterator[tuple[int, str, bool]]:
    """Places of the offsets of the pages of a TIFF: byte order, whether it is a BigTIFF."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    at = 8 if big else 4
    seen: set[int] = set()
    while at not in seen and at + 8 <= len(data):
        seen.add(at)
        yield at, order, big
        (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, at)
        if not 0 < offset <= len(data) - 8:
            return
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
        at = offset + (8 + 20 * count if big else 2 + 12 * count)


def tag_entries(data: bytes) -> Iterator[tuple[int, int, str, bool]]:
    """Places of all tags of a TIFF: number, byte order, whether it is a BigTIFF."""
    for at, order, big in _links(data):
        (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, at)
        if not 0 < offset <= len(data) - 8:
            return
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
        first, n_bytes = (offset + 8, 20) if big else (offset + 2, 12)
        for place in range(first, min(first + count * n_bytes, len(data) - n_bytes), n_bytes):
            yield place, struct.unpack_from(order + "H", data, place)[0], order, big
