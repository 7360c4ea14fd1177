"""The positions of a source: stacks side by side, of which each is fused on its own."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_gmff.errors import ParameterError
from napari_gmff.reading.addresses import check_remote, is_remote

MOST_NAMES = 12
"""Positions that an error lists."""

_NAME_LIMIT = 80
"""Letters kept of a position's name in the name of a folder."""

_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{n}" for name in ("com", "lpt") for n in range(10)),
}


@dataclass(frozen=True)
class Position:
    """One of the stacks of a source.

    Attributes
    ----------
    number : int
        Place among the positions, from 0.
    name : str
        As the source says; may occur twice.
    source : Any
        What `read_stack` opens.
    series : int or None
        Which image of it; None where it holds only this one.
    of : str
        Name of the source that holds all positions; empty where there is only one.
    """

    number: int
    name: str
    source: Any
    series: int | None = None
    of: str = ""


def list_positions(
    source: Any, *, axes: str | None = None, allow_remote: bool = False
) -> list[Position]:
    """List the positions of a source: its stacks side by side, such as the fields of a plate.

    Positions are the images of a file or OME-Zarr that have a Z axis, and the same axes as the
    first of these; the images of the wells of a plate; and the numbered folders of a folder that
    holds no images itself. Labels, thumbnails and pyramids are none.

    Parameters
    ----------
    source : path, sequence of paths, or array
        As for `read_stack`, which takes the positions too; only headers are read.
    axes : str, optional
        Meaning of the axes, overriding what the source says.
    allow_remote : bool
        Permit addresses of OME-Zarr.

    Returns
    -------
    list of Position
        In the order of the source; one where it holds a single stack.

    Raises
    ------
    SourceError
        If the source cannot be read.
    """
    if not isinstance(source, str | os.PathLike):
        only = source[0] if isinstance(source, Sequence) and len(source) == 1 else None
        if isinstance(only, str | os.PathLike):
            return list_positions(only, axes=axes, allow_remote=allow_remote)
        return [Position(0, "", source)]
    text = os.fsdecode(source)
    name = Path(text).name
    found = _positions_at(text, axes, allow_remote)
    if len(found) > 1 or (found and found[0].series):
        return [replace(one, of=name) for one in found]
    return [Position(0, name, source)]


def find_position(positions: Sequence[Position], wanted: int | str, source: object) -> Position:
    """Return a position by its name or, where none has it, its number from 0.

    Raises
    ------
    ParameterError
        That lists the positions there are.
    """
    named = [one for one in positions if one.name == str(wanted)]
    if len(named) == 1:
        return named[0]
    number = int(wanted) if str(wanted).isdecimal() else -1
    if not named and 0 <= number < len(positions):
        return positions[number]
    listed = ", ".join(f"{one.number} ({one.name})" for one in positions[:MOST_NAMES])
    more = f" and {len(positions) - MOST_NAMES} more" if len(positions) > MOST_NAMES else ""
    rule = "is the name of several, give its number" if named else "must be one of"
    raise ParameterError(f"position: {rule}: {listed}{more} of {source}, got {str(wanted)!r}")


def folder_names(positions: Sequence[Position]) -> list[str]:
    """Return a name for each position that any file system takes, all of them different.

    Parameters
    ----------
    positions : sequence of Position
        Signs that are no letters, digits or ``. - _ +`` become ``_``; names that would then be
        the same, whatever the case of letters, get their number.
    """
    safe = [_safe_name(one.name) or f"position_{one.number}" for one in positions]
    seen: set[str] = set()
    names = []
    for one, name in zip(positions, safe, strict=True):
        unique = name
        while unique.casefold() in seen:
            unique = f"{unique}_{one.number}"
        seen.add(unique.casefold())
        names.append(unique)
    return names


def _safe_name(name: str) -> str:
    text = re.sub(r"[^\w.+-]+", "_", name)[:_NAME_LIMIT].strip("._ ")
    return f"{text}_" if text.partition(".")[0].casefold() in _DEVICES else text


def _positions_at(text: str, axes: str | None, allow_remote: bool) -> list[Position]:
    from napari_gmff.reading.folders import numbered_folders, tiff_of_folder
    from napari_gmff.reading.image_files import kind_of
    from napari_gmff.reading.ome_zarr import is_zarr, position_places
    from napari_gmff.reading.vendor import vendor_kind, vendor_places

    path = Path(text)
    if is_remote(text):
        check_remote(text, allow_remote)
        places = position_places(text)
    elif "\x00" in text or not path.exists():
        return []
    elif is_zarr(path):
        places = position_places(text)
    elif path.is_dir():
        folders = numbered_folders(path)
        if folders:
            return [Position(i, one.name, str(one)) for i, one in enumerate(folders)]
        whole = tiff_of_folder(path)
        return [] if whole is None else _positions_at(str(whole), axes, allow_remote)
    elif path.name.lower().endswith(".companion.ome") or kind_of(path) == "tiff":
        places = _places_of_tiff(path, axes)
    else:
        vendor = vendor_kind(path)
        places = [] if vendor is None else vendor_places(path, vendor)
    return [Position(i, name, text, number) for i, (number, name) in enumerate(places)]


def _places_of_tiff(path: Path, axes: str | None) -> list[tuple[int, str]]:
    from napari_gmff.reading.tiff import stacks_among_series
    from napari_gmff.reading.tiff_open import open_tiff, series_names

    opened = open_tiff(path)
    names = series_names(opened)
    return [(number, names[number]) for number in stacks_among_series(opened, axes)]
