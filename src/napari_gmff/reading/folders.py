"""Folders and patterns: which of their files make a stack, and which folders hold one each."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import SourceError
from napari_gmff.reading.image_files import kind_of
from napari_gmff.reading.images import read_images
from napari_gmff.reading.micromanager import facts_of_images, ndtiff_file
from napari_gmff.reading.ome_zarr import is_zarr
from napari_gmff.reading.tiff import read_tiff
from napari_gmff.reading.tiff_open import open_tiff

if TYPE_CHECKING:
    from napari_gmff.reading.stack import FocusStack

MOST_NAMES = 5
"""Ignored files that are named; the rest are counted."""

MOST_PEEKED = 20
"""Files of a folder that are looked at to tell whether it holds images."""


def read_folder(folder: Path, *, series: int | None = None, axes: str | None = None) -> FocusStack:
    """Open the images of a folder as slices; a folder with one image is a stack of one slice.

    Parameters
    ----------
    folder : Path
        Of images; or of one TIFF, or one set of linked TIFFs, that is a stack itself.
    series : int, optional
        Which image of such a TIFF.
    axes : str, optional
        Meaning of the axes, overriding what the files say.

    Raises
    ------
    SourceError
        If it holds no images, several stacks, or images that do not fit one another.
    """
    dataset = ndtiff_file(folder)
    if dataset is not None:
        stack = read_tiff(dataset, series=series, axes=axes)
        return replace(stack, name=folder.resolve().name)
    visible = _visible(folder)
    images, others = _images_among([path for path in visible if path.is_file()])
    if not images:
        n_folders = sum(path.is_dir() for path in visible)
        inside = f", only {n_folders} folders; give one of them" if n_folders else ""
        raise SourceError(f"{folder}: the folder must hold images, found none{inside}")
    whole = _whole_tiff(images)
    if whole is not None:
        return read_tiff(whole, series=series, axes=axes)
    if series:
        raise SourceError(
            f"{folder}: series must be below 1 (a folder of images has 1 series), got {series}"
        )
    facts = facts_of_images(folder)
    stack = read_images(
        images, name=folder.resolve().name, label=str(folder), axes=axes, notes=_ignored(others)
    )
    if facts is None:
        return stack
    return replace(
        stack,
        voxel_size_um=facts.voxel_size_um,
        z_positions_um=facts.z_positions(stack.n_slices),
        channels=facts.channels_for(stack.n_channels) or stack.channels,
    )


def read_glob(pattern: str, *, axes: str | None = None) -> FocusStack:
    """Open the images whose names match a pattern.

    Raises
    ------
    SourceError
        If none matches, or they do not fit one another.
    """
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]
    found.sort(key=lambda path: natural_key(str(path)))
    images, others = _images_among([path for path in found if path.is_file()])
    if not images:
        raise SourceError(f"{pattern}: the pattern must match images, found none")
    folders = {path.resolve().parent for path in images}
    name = folders.pop().name if len(folders) == 1 else Path(pattern).name
    return read_images(images, name=name, label=pattern, axes=axes, notes=_ignored(others))


def natural_key(name: str) -> tuple[Any, ...]:
    """Sort key that puts ``a2`` before ``a10``, whatever the case of letters."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*(int(part) if part.isdecimal() else part for part in parts), name)


def numbered_folders(folder: Path) -> list[Path]:
    """Find the numbered folders of a folder that holds one stack in each of them.

    Returns
    -------
    list of Path
        Folders with a digit in their name and images or an OME-Zarr within, in natural order;
        empty where the folder itself holds images.
    """
    return list(iter_numbered_folders(folder))


def iter_numbered_folders(folder: Path) -> Iterator[Path]:
    """Find the same one by one, for those who only want to know whether there are any."""
    visible = _visible(folder)
    if ndtiff_file(folder) or holds_images(path for path in visible if path.is_file()):
        return
    for path in visible:
        is_numbered = any(sign.isdecimal() for sign in path.name)
        if is_numbered and path.is_dir() and (is_zarr(path) or holds_images(_visible(path))):
            yield path


def holds_images(paths: Iterable[Path]) -> bool:
    """Whether one of the first files is an image."""
    files = (path for path in paths if path.is_file() and not path.name.startswith("."))
    return any(kind_of(path) for path, _ in zip(files, range(MOST_PEEKED), strict=False))


def tiff_of_folder(folder: Path) -> Path | None:
    """Return the TIFF that a folder stands for: its only one, or the first of a linked set."""
    images, _ = _images_among([path for path in _visible(folder) if path.is_file()])
    return ndtiff_file(folder) or (_whole_tiff(images) if images else None)


def _visible(folder: Path) -> list[Path]:
    entries = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    return [path for path in entries if not path.name.startswith(".")]


def _whole_tiff(images: Sequence[Path]) -> Path | None:
    """First file of a multi-file TIFF or the only one with several pages, if that is all."""
    if any(kind_of(path) != "tiff" for path in images):
        return None
    opened = open_tiff(images[0])
    if len(images) == 1:
        return images[0] if opened.n_pages > 1 else None
    together = {images[0].name, *opened.linked}
    return images[0] if opened.linked and together == {path.name for path in images} else None


def _images_among(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    images: list[Path] = []
    others: list[Path] = []
    for path in paths:
        (others if kind_of(path) is None else images).append(path)
    return images, others


def _ignored(others: Sequence[Path]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(path.name for path in others[:MOST_NAMES])
    more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
    return (f"Not images, ignored: {names}{more}.",)
