"""What Micro-Manager says of its stacks: files of MMStack and of NDTiff."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from napari_gmff.errors import SourceError
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.ome_xml import check_inside
from napari_gmff.reading.stack import Channel
from napari_gmff.reading.tiff_check import MOST_PAGES, count_pages
from napari_gmff.reading.tiff_metadata import ImageFacts, finite

if TYPE_CHECKING:
    from tifffile import TiffFile

INDEX = "NDTiff.index"

_IS_PART = (
    "The set holds fewer planes than were planned: files are missing, or it was stopped; what is "
    "there is read."
)

_COUNTS = ("Channels", "Slices", "Frames", "Positions")
"""Of the summary, in the order of the index."""

_LABELS = ("Label", "label", "DeviceLabel")
_NUMBERS_BYTES = 32
"""Of an entry of the index, after its two texts."""

_MOST_TEXT_BYTES = 2**28
"""Of ``metadata.txt``, which describes every image of a folder."""

_MOST_METADATA_BYTES = 2**20
"""Metadata of a plane are a few kB; more is damage."""


def facts_of_mmstack(
    tiff: TiffFile, n_positions: int, *, is_part: bool = False
) -> list[ImageFacts]:
    """Return the facts of each position of an MMStack file, whose file is open.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Its summary says the step and the names; the metadata of its first plane, which later
        versions write, the size of a pixel.
    n_positions : int
        How many positions it holds.
    is_part : bool
        Whether planes that were planned are not there.
    """
    summary = _mapping((tiff.micromanager_metadata or {}).get("Summary"))
    plane = _mapping(tiff.pages.first.tags.valueof(51123))
    names = _position_names(summary, n_positions)
    notes = (_IS_PART,) if is_part else ()
    facts = [_facts(name, summary, plane, summary.get("ChNames"), {}) for name in names]
    return [replace(one, notes=notes) for one in facts]


def facts_of_ndtiff(tiff: TiffFile, path: Path, n_positions: int) -> list[ImageFacts]:
    """Return the facts of each position of an NDTiff dataset, from its index and summary.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        One of its files.
    path : Path
        Of that file; the index lies beside it.
    n_positions : int
        How many positions it holds.
    """
    summary = _mapping((tiff.micromanager_metadata or {}).get("Summary"))
    planes = list(_index_entries(path.parent))
    first: Mapping[str, Any] = {}
    z_um: dict[int, float] = {}
    lowest = min((int(axes["z"]) for axes, *_ in planes if _is_number(axes.get("z"))), default=0)
    others = {name: value for name, value in planes[0][0].items() if name != "z"}
    for axes, file_name, offset, n_bytes in planes:
        if {name: value for name, value in axes.items() if name != "z"} != others:
            continue
        said = _plane_metadata(path.parent / file_name, offset, n_bytes)
        first = first or said
        height = finite(said.get("ZPositionUm", said.get("ZPosition_um_Intended")))
        if height is not None and _is_number(axes.get("z")):
            z_um[int(axes["z"]) - lowest] = height
    positions = _values(planes, "position")
    names = [f"Pos{one}" if _is_number(one) else str(one) for one in positions]
    if len(names) != n_positions:
        names = [str(number) if n_positions > 1 else "" for number in range(n_positions)]
    channels = [str(one) for one in _values(planes, "channel") if not _is_number(one)]
    return [_facts(name, summary, first, channels, z_um) for name in names]


def check_mmstack(tiff: TiffFile, name: str) -> None:
    """Check the numbers in the index of an MMStack file, for which room would be made.

    Raises
    ------
    SourceError
        If they are far more than there can be planes.
    """
    index = (tiff.micromanager_metadata or {}).get("IndexMap")
    summary = _mapping((tiff.micromanager_metadata or {}).get("Summary"))
    planned = [finite(summary.get(key)) or 1.0 for key in _COUNTS]
    largest = [1] * len(planned) if index is None or not len(index) else index[:, :4].max(0) + 1.0
    _check_count([max(pair) for pair in zip(planned, largest, strict=True)], name)


def check_ndtiff(path: Path, name: str) -> None:
    """Check that the files an NDTiff index names lie beside it, and are whole.

    Raises
    ------
    SourceError
        That names the file that does not.
    """
    names: dict[str, None] = {}
    ranges: dict[str, tuple[int, int]] = {}
    for axes, file_name, *_ in _index_entries(path.parent):
        names[file_name] = None
        for axis, value in axes.items():
            place = value if _is_number(value) else 0
            low, high = ranges.get(axis, (place, place))
            ranges[axis] = min(low, place), max(high, place)
    if not names:
        raise SourceError(f"{name}: its {INDEX} is damaged or lists no planes")
    _check_count([high - low + 1.0 for low, high in ranges.values()], name)
    for file_name in names:
        _check_file(path.parent, file_name, name)
        count_pages(path.parent / file_name, f"{name}: {file_name}")


def ndtiff_file(folder: Path) -> Path | None:
    """Return a file of the NDTiff dataset that a folder is, None if it is none.

    A dataset with a pyramid keeps its pixels in a folder called ``Full resolution``.
    """
    for place in (folder, folder / "Full resolution"):
        if (place / INDEX).is_file():
            for _, file_name, *_ in _index_entries(place):
                _check_file(place, file_name, str(folder))
                return place / file_name
    return None


def _check_count(lengths: Sequence[float], name: str) -> None:
    count = math.prod(lengths)
    if not 1 <= count <= MOST_PAGES:
        raise SourceError(
            f"{name}: damaged index, its numbers make {count:.3g} planes, of {MOST_PAGES} at most"
        )


def facts_of_images(folder: Path) -> ImageFacts | None:
    """Return what Micro-Manager says of a folder of single images, None if it did not write it.

    Raises
    ------
    SourceError
        If the images are of several channels or time points, which only their names would tell.
    """
    path = folder / "metadata.txt"
    if not path.is_file() or path.stat().st_size > _MOST_TEXT_BYTES:
        return None
    try:
        summary = _mapping(_mapping(json.loads(path.read_bytes())).get("Summary"))
    except ValueError:
        return None
    for key, what in (("Channels", "channels"), ("Frames", "time points")):
        count = finite(summary.get(key)) or 1
        if count > 1:
            raise SourceError(
                f"{folder}: its images are of {count:g} {what}, which Micro-Manager tells by their "
                "names alone; give those of one as a pattern or list, or save them as a stack"
            )
    return _facts("", summary, {}, summary.get("ChNames"), {}) if summary else None


def _check_file(folder: Path, file_name: str, name: str) -> None:
    check_inside(name, file_name)
    if not (folder / file_name).is_file():
        raise SourceError(f"{name}: a file it links to is missing, {file_name!r}")


def _facts(
    name: str,
    summary: Mapping[str, Any],
    plane: Mapping[str, Any],
    channels: object,
    z_um: dict[int, float],
) -> ImageFacts:
    step = finite(summary.get("z-step_um", summary.get("z_step_um")))
    sizes = (
        finite(one.get(key)) for one in (plane, summary) for key in ("PixelSizeUm", "PixelSize_um")
    )
    pixel = next((size for size in sizes if size and size > 0), None)
    return ImageFacts(
        title=name,
        voxel_size_um=(abs(step) if step else _median_step(z_um), pixel, pixel),
        z_um=z_um,
        z_falls=bool(step and step < 0),
        channels=_channels(channels, summary.get("ChColors")),
    )


def _median_step(z_um: Mapping[int, float]) -> float | None:
    import numpy as np

    steps = np.abs(np.diff([z_um[index] for index in sorted(z_um)]))
    return float(np.median(steps)) if len(steps) and np.median(steps) > 0 else None


def _channels(names: object, colors: object) -> tuple[Channel, ...]:
    if not isinstance(names, Sequence) or isinstance(names, str):
        return ()
    listed = colors if isinstance(colors, Sequence) and len(colors) == len(names) else ()
    found = []
    for index, name in enumerate(names):
        color = listed[index] if listed else None
        # Signed numbers whose lower 24 bits are RGB; -1 is white, which nobody chose.
        if not isinstance(color, int) or color == -1:
            color = None
        found.append(Channel(str(name), None if color is None else f"{color & 0xFFFFFF:06X}"))
    return tuple(found)


def _position_names(summary: Mapping[str, Any], n_positions: int) -> list[str]:
    if n_positions == 1:
        return [""]
    listed = summary.get("StagePositions") or summary.get("InitialPositionList")
    if isinstance(listed, list) and len(listed) == n_positions:
        labels = [
            next((str(one[key]) for key in _LABELS if isinstance(one, dict) and one.get(key)), "")
            for one in listed
        ]
        if all(labels):
            return labels
    return [f"Pos{number}" for number in range(n_positions)]


def _index_entries(folder: Path) -> Iterator[tuple[dict[str, Any], str, int, int]]:
    """Axes, file name, and place and length of the metadata of every plane of an index.

    tifffile reads an index up to where it is damaged; a plane that is lost must not go unnoticed.
    """
    path = folder / INDEX
    with path.open("rb") as file:
        try:
            while start := file.read(4):
                axes = json.loads(_text(file, start))
                name = _text(file, file.read(4))
                *_, place, n_bytes, _ = struct.unpack("<5i3I", file.read(_NUMBERS_BYTES))
                yield dict(axes), name, place, n_bytes
        except (struct.error, ValueError, TypeError) as error:
            raise SourceError(f"{path}: damaged index ({first_line(error)})") from error


def _text(file: BinaryIO, length: bytes) -> str:
    (n_bytes,) = struct.unpack("<I", length)
    if n_bytes > _MOST_METADATA_BYTES:
        raise ValueError(f"a text of {n_bytes} bytes")
    data = file.read(n_bytes)
    if len(data) < n_bytes:
        raise ValueError("its last entry is cut short")
    return data.decode()


def _plane_metadata(path: Path, offset: int, n_bytes: int) -> Mapping[str, Any]:
    """Metadata of a plane; empty where they are damaged, as they only add to the summary."""
    if not 0 < n_bytes < _MOST_METADATA_BYTES:
        return {}
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(n_bytes)
    try:
        return _mapping(json.loads(data))
    except ValueError:
        return {}


def _values(planes: Sequence[tuple[dict[str, Any], str, int, int]], axis: str) -> list[Any]:
    """Values along an axis in the order that tifffile counts them."""
    found = list(dict.fromkeys(axes[axis] for axes, *_ in planes if axis in axes))
    return sorted(found) if all(_is_number(one) for one in found) else found


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
