"""Headers of a TIFF: read, screened and checked, so that what is wrong is said up front."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.ome_xml import (
    OmeImage,
    check_inside,
    linked_files,
    metadata_file,
    ome_images,
    parse_xml,
    screen_xml,
)
from napari_gmff.reading.tiff_check import count_pages, quiet_tifffile

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

XMP_TAG = 700

_QUIET_LOCK = threading.Lock()


@dataclass
class OpenedTiff:
    """A TIFF whose headers have been read and checked.

    Attributes
    ----------
    path : Path
        The file given.
    name : str
        As the user named it, for messages.
    series : list of tifffile.TiffPageSeries
        What can be read from it.
    ome : list of OmeImage
        One for each series of an OME-TIFF, else empty.
    linked : tuple of str
        Other files that hold planes of it.
    n_pages : int
        Pages in the file itself.
    """

    path: Path
    name: str
    tiff: TiffFile
    series: list[TiffPageSeries]
    ome: list[OmeImage] = field(default_factory=list)
    linked: tuple[str, ...] = ()
    n_pages: int = 0


def open_tiff(path: Path, name: str | None = None) -> OpenedTiff:
    """Read and check the headers of a TIFF or of a ``.companion.ome``.

    Returns
    -------
    OpenedTiff
        Closed already: planes are read through handles of their own.

    Raises
    ------
    SourceError
        If the file is not a TIFF, is truncated, or links to files that are missing or elsewhere.
    """
    import tifffile

    name = name or str(path)
    root: Element | None = None
    text: str | None = None
    if path.name.lower().endswith(".companion.ome"):
        text = _read_xml(path, name)
        root = parse_xml(name, text)
        path = _first_linked(path, name, root)
    n_pages = count_pages(path, name)
    # tifffile reports damage by logging; the filter is global, so one opening at a time.
    with _QUIET_LOCK, quiet_tifffile() as logged, ExitStack() as closing:
        try:
            tiff = closing.enter_context(tifffile.TiffFile(path))
            if text is None:
                text = _ome_text(tiff, path, name)
                root = parse_xml(name, text) if text else None
            linked = _check_linked(path, name, root) if root is not None else ()
            if text and text is not tiff.pages.first.description:
                tiff = closing.enter_context(tifffile.TiffFile(path, omexml=text))
            series = list(tiff.series)
            opened = OpenedTiff(path, name, tiff, series, linked=linked, n_pages=n_pages)
            for one in series:
                for level in one.levels:
                    _load_pages(level)
        except SourceError:
            raise
        # tifffile raises many kinds for damaged headers, KeyError and struct.error among them.
        except Exception as error:
            raise SourceError(
                f"{name}: damaged or unsupported TIFF ({first_line(error)})"
            ) from error
    if root is not None:
        opened.ome = ome_images(name, root)
        _check_ome(opened, logged)
    return opened


def choose_series(opened: OpenedTiff, series: int) -> TiffPageSeries:
    """Return a series by its number.

    Raises
    ------
    SourceError
        If there is none of that number, or its pages are of several sizes or types.
    """
    found = opened.series
    if not 0 <= series < len(found):
        raise SourceError(
            f"{opened.name}: series must be below {len(found)} (it has {len(found)} series), "
            f"got {series}"
        )
    if series == 0 and found[0].kind == "generic" and len(found) > 1:
        _check_same_pages(opened)
    return found[series]


def series_names(opened: OpenedTiff) -> list[str]:
    """Name of every series of a file."""
    return [
        (opened.ome[index].name if index < len(opened.ome) else str(one.name)) or f"series {index}"
        for index, one in enumerate(opened.series)
    ]


def _read_xml(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{name}: not readable as OME-XML ({error})") from None


def _first_linked(path: Path, name: str, root: Element) -> Path:
    linked = linked_files(name, root)
    if not linked:
        raise SourceError(f"{name}: a companion file must name the files with the pixels")
    _check_exist(path, name, linked)
    return path.parent / linked[0]


def _ome_text(tiff: TiffFile, path: Path, name: str) -> str | None:
    """Screened OME-XML of a file, from its companion if it says so."""
    for page_text in _texts(tiff):
        screen_xml(name, page_text)
    if not tiff.is_ome:
        return None
    text = str(tiff.pages.first.description)
    companion = metadata_file(name, parse_xml(name, text))
    if companion is None:
        return text
    _check_exist(path, name, [companion])
    return _read_xml(path.parent / companion, f"{name}: {companion}")


def _texts(tiff: TiffFile) -> list[str]:
    """Everything in the first page's tags that tifffile may take for XML."""
    page: Any = tiff.pages.first
    found = [str(page.description)]
    if XMP_TAG in page.tags:
        value = page.tags[XMP_TAG].value
        found.append(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
    return found


def _check_linked(path: Path, name: str, root: Element) -> tuple[str, ...]:
    linked = tuple(linked_files(name, root))
    _check_exist(path, name, linked)
    for file_name in linked:
        count_pages(path.parent / file_name, f"{name}: {file_name}")
    return linked


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


def _load_pages(series: TiffPageSeries) -> None:
    """Have tifffile read the offsets of every page while its file is open."""
    for page in series.pages:
        if page is not None:
            _ = page.dataoffsets, page.databytecounts, page.jpegtables
    # Making the decoder of JPEG segments looks into the data; linked files are closed by now.
    file = series.keyframe.parent.filehandle
    was_closed = file.closed
    if was_closed:
        file.open()
    try:
        _ = series.keyframe.decode
    finally:
        if was_closed:
            file.close()


def _check_ome(opened: OpenedTiff, logged: Sequence[str]) -> None:
    """Compare what the OME-XML names with the pages there are."""
    n_named = len(opened.ome)
    if any(one.kind != "ome" for one in opened.series) or len(opened.series) != n_named:
        reason = f" ({logged[0]})" if logged else ""
        raise SourceError(
            f"{opened.name}: its OME-XML describes {n_named} images that do not fit its "
            f"{opened.n_pages} pages{reason}"
        )
    for index, (image, series) in enumerate(zip(opened.ome, opened.series, strict=True)):
        there = sum(page is not None for page in series.pages)
        # Some writers keep several planes in one page; sizes tell, not the number of pages.
        pixels = there * int(series.keyframe.size)
        wanted = int(np.prod([image.sizes[axis] for axis in "TCZYX"], dtype=np.int64))
        if pixels != wanted:
            raise SourceError(
                f"{opened.name}: its OME-XML names {image.n_planes} planes for image {index}, "
                f"found {there} pages"
            )


def _check_same_pages(opened: OpenedTiff) -> None:
    """Refuse a plain file whose full-size pages differ: one of them would silently be lost."""
    pages = [one.keyframe for one in opened.series]
    full = [page for page in pages if not page.is_reduced and len(page.treeindex) == 1]
    for page in full[1:]:
        if (page.shape, page.dtype) != (full[0].shape, full[0].dtype):
            first, other = (
                f"page {one.index} is {' × '.join(map(str, one.shape))} {one.dtype}"
                for one in (full[0], page)
            )
            raise SourceError(
                f"{opened.name}: slices must all have the same size and pixel type, "
                f"{first} and {other}"
            )
