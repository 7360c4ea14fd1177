"""Ways to damage a file: seeded, so that each can be made again from its number."""

from __future__ import annotations

import copy
import json
import random
import re
import struct
from collections.abc import Iterator
from typing import Any

from tests.fuzz.byte_damage import (
    ANY,
    Damage,
    bit_flips,
    jpeg_segment,
    page_offset,
    png_chunk,
    png_header,
    tag_entries,
    tag_field,
    tag_value,
)
from tests.fuzz.seeds import Files

JSON_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 3.5, 1e300, 2**31, 2**63, 2**64, 10**30, -(2**63), 10**9),
    *("", "x", "zyx", "..", "../0", "0/0", "µm", "NaN", "Infinity"),
    *("uint16", "<u2", "|O", "float64"),
    *([], {}, [[]], [1], [0, 0, 0], [10**9] * 3, [-1, 5, 5], [1, 2], [{}], {"name": "gzip"}),
)

BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {y} "{f"&{x};" * 10}">' for x, y in zip("abcdef", "bcdefg", strict=True))
    + "]><OME>&g;</OME>"
)

XML_VALUES = (
    *("0", "1", "-1", "2", "4", "1e9", "NaN", "inf", "9" * 5000),
    *("999999999", "18446744073709551616"),
    *("", "x", "µ", "²", "٣", "../a.tif", "uint8", "float", "XYCZT", "&amp;", "a" * 3000),
)


def damaged(files: Files, seed: int) -> tuple[Files, str]:
    """Damage one or two files of a source, once to three times.

    Parameters
    ----------
    files : dict of str to bytes
        A valid source.
    seed : int
        The same seed gives the same damage.

    Returns
    -------
    dict of str to bytes
        The damaged source.
    str
        What was done.
    """
    rng = random.Random(seed)
    found, done = dict(files), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = _chosen_name(found, rng)
        if len(found) > 1 and rng.random() < 0.03:
            del found[name]
            done.append(f"{name}: missing")
            continue
        damage = rng.choice([*ANY, *_special(found[name])])
        found[name] = damage(found[name], rng)
        done.append(f"{name}: {damage.__name__}")
    return found, ", ".join(done)


def _chosen_name(files: Files, rng: random.Random) -> str:
    """Name a file to damage: chunks of a zarr are many, and tell little."""
    telling = [name for name in sorted(files) if files[name][:1] in (b"{", b"<")]
    return rng.choice(telling if telling and rng.random() < 0.75 else sorted(files))


def _special(data: bytes) -> tuple[Damage, ...]:
    """Ways that know the structure; they are taken more often than others."""
    if data[:2] in (b"II", b"MM"):
        ways: tuple[Damage, ...] = (tag_value, tag_value, tag_field, tag_field, page_offset)
        return ways + ((xml_text, xml_text) if b"<OME" in data else ())
    if data[:4] == b"\x89PNG":
        return (png_header, png_chunk) * 3
    if data[:2] == b"\xff\xd8":
        return (jpeg_segment,) * 5
    if data[:1] == b"{":
        return (json_value,) * 8
    return (xml_file,) * 5 if data[:1] == b"<" else ()


def xml_text(data: bytes, rng: random.Random) -> bytes:
    """Change the OME-XML of a TIFF, put at its end."""
    for at, tag, order, big in tag_entries(data):
        start = data.find(b"<OME")
        stop = data.find(b"</OME>", start) + 6
        if tag == 270 and 0 <= start < stop:
            text = xml_file(data[start:stop], rng)
            found = bytearray(data)
            struct.pack_into(order + ("QQ" if big else "II"), found, at + 4, len(text), len(data))
            return bytes(found) + text
    return bit_flips(data, rng)


def xml_file(data: bytes, rng: random.Random) -> bytes:
    """Change an attribute, drop or repeat an element, or declare entities."""
    text = data.decode("utf-8", "replace")
    way = rng.random()
    attributes = list(re.finditer(r'(\w+)="([^"]*)"', text))
    elements = list(re.finditer(r"<(\w+)[^<>]*/>|</?\w+[^<>]*>", text))
    if way < 0.6 and attributes:
        one = rng.choice(attributes)
        names = [item.group(1) for item in attributes]
        name = rng.choice((one.group(1), one.group(1), one.group(1), rng.choice(names), "Odd"))
        text = f'{text[: one.start()]}{name}="{rng.choice(XML_VALUES)}"{text[one.end() :]}'
    elif way < 0.85 and elements:
        one = rng.choice(elements)
        text = text[: one.start()] + one.group() * rng.choice((0, 2, 500)) + text[one.end() :]
    elif way < 0.95:
        text = "<a>" * 20_000 + text if rng.random() < 0.5 else text[: rng.randrange(len(text) + 1)]
    else:
        text = BOMB
    return text.encode()


def json_value(data: bytes, rng: random.Random) -> bytes:
    """Change, drop or rename one value anywhere in a JSON document."""
    try:
        document = json.loads(data)
    except ValueError:
        return bit_flips(data, rng)
    places = list(_places(document))
    if not places:
        return b"[]"
    holder, key = rng.choice(places)
    way = rng.random()
    if way < 0.7:
        holder[key] = copy.deepcopy(rng.choice(JSON_VALUES))
    elif way < 0.85:
        del holder[key]
    elif isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder.append(copy.deepcopy(holder[key]))
    if rng.random() < 0.03:
        return b"[" * 100_000
    return json.dumps(document, indent=rng.choice((None, 2))).encode()


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key of a JSON document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(items) if isinstance(document, dict | list) else []:
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)
