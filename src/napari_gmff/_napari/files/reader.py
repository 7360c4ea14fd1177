"""Opens files in napari: focus stacks, and results that were saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from napari.utils.notifications import show_warning

from napari_gmff._napari.common.running_window import is_window_running
from napari_gmff._napari.layers.saved_dress import dress_saved_layers
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved, saved_place
from napari_gmff._napari.layers.stack_layers import (
    LayerTuple,
    StackSource,
    layers_of_stack,
    short_name,
)
from napari_gmff.errors import SourceError
from napari_gmff.reading.folders import iter_numbered_folders, natural_key
from napari_gmff.reading.image_files import kind_of
from napari_gmff.reading.ome_zarr import is_zarr
from napari_gmff.reading.open import list_series, read_stack
from napari_gmff.reading.positions import list_positions
from napari_gmff.reading.tiff_open import open_tiff
from napari_gmff.reading.vendor import vendor_kind

Paths = str | Sequence[str]
Choose = Callable[[list[StackSource]], list[StackSource]]

_NOTHING: list[LayerTuple] = [(None,)]  # type: ignore[list-item]
"""What napari takes for "opened, and there is nothing to show"."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerTuple]] | None:
    """Return the function that opens a path, None for what is none of our formats.

    Parameters
    ----------
    path : str or sequence of str
        TIFF, ``.companion.ome``, OME-Zarr, CZI, LIF, ND2 or folder; several are the slices of one
        stack.

    Returns
    -------
    callable or None
        Only names and first bytes were looked at.
    """
    try:
        return read if _is_readable(path) else None
    except OSError:
        return None


def read(path: Paths) -> list[LayerTuple]:
    """Open a path as layers.

    Parameters
    ----------
    path : str or sequence of str
        As for `get_reader`.

    Returns
    -------
    list of (data, dict, str)
        Lazy layers. Of a file with several series those that the user picks in a running window;
        all of them from a script.

    Raises
    ------
    SourceError
        If the path cannot be read or is no focus stack.
    """
    if not is_window_running():
        return layers_of_path(path)
    from napari_gmff._napari.files.axes_question import ask_axes, is_about_axes
    from napari_gmff._napari.files.series_picker import pick_series

    try:
        return layers_of_path(path, choose=pick_series)
    except SourceError as error:
        axes = ask_axes(error) if is_about_axes(error) else None
        if axes is None:
            raise
    return layers_of_path(path, choose=pick_series, axes=axes)


def layers_of_path(
    path: Paths, *, choose: Choose | None = None, axes: str | None = None
) -> list[LayerTuple]:
    """Describe the layers of a path; `choose` is asked which series to take of several."""
    saved = saved_at(path)
    if saved is not None:
        dress_saved_layers()
        return saved
    sources, left_out = sources_of(path, axes)
    for reason in left_out:
        show_warning(reason)
    if choose is not None and len(sources) > 1:
        sources = choose(sources)
    layers = [layer for source in sources for layer in layers_of_stack(source)]
    return layers or _NOTHING


def saved_at(path: Paths) -> list[LayerTuple] | None:
    """Describe the layers of a saved result, None if the path is no part of one."""
    place = saved_place(Path(path)) if isinstance(path, str | os.PathLike) else None
    return None if place is None else layers_of_saved(open_saved(place[0]), place[1])


def sources_of(path: Paths, axes: str | None = None) -> tuple[list[StackSource], list[str]]:
    """Open every series of a file, or every position of a folder, lazily.

    Parameters
    ----------
    path : str or sequence of str
        As for `get_reader`.
    axes : str, optional
        What its axes are, in place of what it says; as for `read_stack`.

    Returns
    -------
    list of StackSource
        In the order of the file, without those that cannot be read.
    list of str
        Why series were left out, as sentences.

    Raises
    ------
    SourceError
        The first reason, if no series can be read.
    """
    options: dict[str, Any] = {} if axes is None else {"axes": axes}
    if not isinstance(path, str | os.PathLike):
        return [StackSource(read_stack(list(path), **options), None, options)], []
    origin = os.fspath(path)
    parts = _parts_of(origin, options)
    if len(parts) < 2:
        return [StackSource(read_stack(origin, **options), origin, options)], []
    found, errors = [], []
    for part in parts:
        try:
            stack = read_stack(part.source, series=part.series, **options)
        except SourceError as error:
            errors.append(error)
            continue
        found.append(StackSource(stack, origin, {**options, **part.choice}))
        found[-1].name = f"{short_name(Path(origin).name)} {part.name}"
    if not found:
        raise errors[0]
    return found, [f"Image {error.args[0]} was left out." for error in errors]


class _Part(NamedTuple):
    """One of the stacks of a path: what to read, and how to say so."""

    name: str
    source: Any
    series: int | None
    choice: dict[str, Any]


def _parts_of(origin: str, options: dict[str, Any]) -> list[_Part]:
    if Path(origin).is_dir():
        positions = list_positions(origin, **options)
        if len(positions) > 1:
            # Told apart by number: names may occur twice.
            return [_Part(one.name, one, None, {"position": str(one.number)}) for one in positions]
        if not is_zarr(Path(origin)):
            return []
    names = list_series(origin)
    return [
        _Part(name or str(number), origin, number, {"series": number})
        for number, name in enumerate(names)
    ]


def stacks_among(paths: Sequence[str]) -> list[Paths]:
    """Tell whether files are the slices of one stack, or a stack each.

    Parameters
    ----------
    paths : sequence of str
        Files and folders as they were picked.

    Returns
    -------
    list of (str or list of str)
        What `sources_of` opens, one after the other; slices in the natural order of their names.

    Raises
    ------
    SourceError
        If a TIFF among them is damaged.
    """
    ordered = sorted(paths, key=natural_key)
    apart: list[Paths] = []
    linked: set[str] = set()
    has_stack = len(ordered) == 1
    for path in ordered:
        place = Path(path)
        if place.name in linked:
            continue
        apart.append(path)
        is_companion = place.name.lower().endswith(".companion.ome")
        if place.is_dir() or is_companion or saved_place(place) is not None:
            has_stack = True
        elif vendor_kind(place) is not None:
            has_stack = True
        elif kind_of(place) == "tiff":
            opened = open_tiff(place)
            linked.update(opened.linked)
            has_stack = has_stack or bool(opened.linked) or opened.n_pages > 1
    return apart if has_stack else [ordered]


def _is_readable(path: Paths) -> bool:
    if not isinstance(path, str | os.PathLike):
        return bool(path) and all(kind_of(Path(one)) is not None for one in path)
    place = Path(path)
    if place.is_dir():
        is_ours = is_zarr(place) or saved_place(place) is not None or _has_images(place)
        return is_ours or next(iter_numbered_folders(place), None) is not None
    if place.name.lower().endswith(".companion.ome"):
        return place.is_file()
    if not place.is_file():
        return False
    return kind_of(place) == "tiff" or vendor_kind(place) is not None


def _has_images(folder: Path) -> bool:
    """Whether one of the first files of a folder is an image."""
    with os.scandir(folder) as entries:
        files = (Path(entry.path) for entry in entries if entry.is_file())
        visible = (file for file in files if not file.name.startswith("."))
        return any(kind_of(file) is not None for file, _ in zip(visible, range(20), strict=False))
