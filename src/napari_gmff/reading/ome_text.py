"""The OME-XML of a TIFF or of a set of them, wherever in the set it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from napari_gmff.errors import SourceError
from napari_gmff.reading.ome_xml import (
    check_inside,
    linked_files,
    metadata_file,
    nameless_links,
    parse_xml,
    screen_xml,
)
from napari_gmff.reading.tiff_check import count_pages, is_tiff

if TYPE_CHECKING:
    from tifffile import TiffFile

XMP_TAG = 700

_TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
_IDENTITY = re.compile(r"""<(?:\w+:)?OME\b[^>]*\bUUID\s*=\s*["']([^"']+)""")


def read_xml(path: Path, name: str) -> str:
    """Read a companion file.

    Raises
    ------
    SourceError
        If it cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{name}: not readable as OME-XML ({error})") from None


def first_linked(path: Path, name: str, root: Element) -> Path:
    """Return a file with pixels that a companion file names.

    Raises
    ------
    SourceError
        If it names none, or one that is missing.
    """
    linked = linked_files(name, root)
    if not linked:
        raise SourceError(f"{name}: a companion file must name the files with the pixels")
    _check_exist(path, name, linked)
    return path.parent / linked[0]


def main_tiff(tiff: TiffFile, path: Path, name: str) -> Path | None:
    """Return the TIFF of the set that holds its OME-XML, None where this one or a companion does.

    Raises
    ------
    SourceError
        If it is missing, or refers to others itself.
    """
    for text in _texts(tiff):
        screen_xml(name, text)
    if not tiff.is_ome or tiff.is_mmstack:
        return None
    file_name = metadata_file(name, parse_xml(name, str(tiff.pages.first.description)))
    if file_name is None:
        return None
    _check_exist(path, name, [file_name])
    with (path.parent / file_name).open("rb") as file:
        if not is_tiff(file.read(4)):
            return None
    _check_is_main(path.parent / file_name, f"{name}: {file_name}")
    return path.parent / file_name


def ome_text(tiff: TiffFile, path: Path, name: str) -> str | None:
    """Return the OME-XML of a file, from its companion if it says so; None where there is none.

    Raises
    ------
    SourceError
        If it declares entities, or the companion is missing.
    """
    for page_text in _texts(tiff):
        screen_xml(name, page_text)
    # Micro-Manager's own index is complete, and its OME-XML often is not.
    if not tiff.is_ome or tiff.is_mmstack:
        return None
    text = str(tiff.pages.first.description)
    companion = metadata_file(name, parse_xml(name, text))
    if companion is None:
        return text
    _check_exist(path, name, [companion])
    return read_xml(path.parent / companion, f"{name}: {companion}")


def check_linked(path: Path, name: str, root: Element) -> tuple[str, ...]:
    """Return the names of the files that a set links to, all of them there and whole.

    Raises
    ------
    SourceError
        That names the file that is not.
    """
    linked = tuple(linked_files(name, root))
    _check_exist(path, name, linked)
    for file_name in linked:
        count_pages(path.parent / file_name, f"{name}: {file_name}")
    return linked


def name_links(path: Path, name: str, root: Element) -> bool:
    """Give the links of OME-XML that are identities alone the names of the files they mean.

    Returns
    -------
    bool
        Whether there were any; `root` has then been changed.

    Raises
    ------
    SourceError
        If no file of the folder has the identity.
    """
    links = nameless_links(root)
    if not links:
        return False
    identities = _identities(path.parent)
    for link in links:
        file_name = identities.get(str(link.text))
        if file_name is None:
            raise SourceError(
                f"{name}: a linked file is missing, it is named by its identity alone, {link.text}"
            )
        link.set("FileName", file_name)
    return True


def _identities(folder: Path) -> dict[str, str]:
    """Names of the OME-TIFFs of a folder by their identity."""
    import tifffile

    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _TIFF_SUFFIXES or not path.is_file():
            continue
        # A damaged neighbour is no file of this set, whatever tifffile raises for it.
        with suppress(Exception), tifffile.TiffFile(path) as tiff:
            match = _IDENTITY.search(str(tiff.pages.first.description))
            if match:
                found[match.group(1)] = path.name
    return found


def _check_is_main(path: Path, name: str) -> None:
    import tifffile

    count_pages(path, name)
    with tifffile.TiffFile(path) as tiff:
        text = str(tiff.pages.first.description) if tiff.is_ome else ""
    if not text or metadata_file(name, parse_xml(name, text)) is not None:
        raise SourceError(f"{name}: must hold the OME-XML of the set, and does not")


def _check_exist(path: Path, name: str, file_names: Sequence[str]) -> None:
    for file_name in file_names:
        check_inside(name, file_name)
        target = path.parent / file_name
        if not target.is_file():
            raise SourceError(f"{name}: a file it links to is missing, {file_name!r}")
        if path.parent.resolve() not in target.resolve().parents:
            raise SourceError(
                f"{name}: the files it links to must lie in its own folder, found {file_name!r}"
            )


def _texts(tiff: TiffFile) -> list[str]:
    """Everything in the first page's tags that tifffile may take for XML."""
    page: Any = tiff.pages.first
    found = [str(page.description)]
    if XMP_TAG in page.tags:
        value = page.tags[XMP_TAG].value
        found.append(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
    return found
