"""Headers of a TIFF: read, screened and checked, so that what is wrong is said up front."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.generated import xmp_of
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.micromanager import (
    check_mmstack,
    check_ndtiff,
    facts_of_mmstack,
    facts_of_ndtiff,
)
from napari_gmff.reading.ome_text import (
    check_linked,
    first_linked,
    main_tiff,
    name_links,
    ome_text,
    read_xml,
)
from napari_gmff.reading.ome_xml import OmeImage, check_numbers, ome_images, parse_xml
from napari_gmff.reading.tiff_check import count_pages, quiet_tifffile
from napari_gmff.reading.tiff_makers import facts_of_lsm, facts_of_stk
from napari_gmff.reading.tiff_metadata import ImageFacts
from napari_gmff.reading.tiff_positions import split_positions

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

# Reentrant, as a file may refer to another one of its set.
_QUIET_LOCK = threading.RLock()


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
    facts : list of ImageFacts
        One for each series of a maker's own kind of TIFF, else empty.
    linked : tuple of str
        Other files that hold planes of it.
    n_pages : int
        Pages in the file itself.
    xmp : bytes
        Of the first page; empty where there is none.
    """

    path: Path
    name: str
    tiff: TiffFile
    series: list[TiffPageSeries]
    ome: list[OmeImage] = field(default_factory=list)
    facts: list[ImageFacts] = field(default_factory=list)
    linked: tuple[str, ...] = ()
    n_pages: int = 0
    xmp: bytes = b""


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
        text = read_xml(path, name)
        root = parse_xml(name, text)
        path = first_linked(path, name, root)
    n_pages = count_pages(path, name)
    # tifffile reports damage by logging; the filter is global, so one opening at a time.
    # Damaged numbers make numpy warn as well.
    quiet = np.errstate(all="ignore")
    with _QUIET_LOCK, quiet, quiet_tifffile() as logged, ExitStack() as closing:
        try:
            tiff = closing.enter_context(tifffile.TiffFile(path))
            if text is None:
                main = main_tiff(tiff, path, name)
                if main is not None:
                    return _as_part_of(open_tiff(main, name), path)
                text = ome_text(tiff, path, name)
                root = parse_xml(name, text) if text else None
            if root is not None and name_links(path, name, root):
                text = tostring(root, encoding="unicode")
            if root is not None:
                check_numbers(name, root)
            linked = check_linked(path, name, root) if root is not None else ()
            if text and text is not tiff.pages.first.description:
                tiff = closing.enter_context(tifffile.TiffFile(path, omexml=text))
            if tiff.is_ndtiff:
                check_ndtiff(path, name)
            elif tiff.is_mmstack:
                check_mmstack(tiff, name)
            series = [part for one in tiff.series for part in split_positions(one)]
            facts = _facts_of_makers(tiff, path, series, logged)
            linked = linked or _files_beside(path, series)
            xmp = xmp_of(tiff)
            opened = OpenedTiff(path, name, tiff, series, [], facts, linked, n_pages, xmp)
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
    if root is not None and not opened.facts:
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
    said = opened.facts or opened.ome
    titles = [one.title if isinstance(one, ImageFacts) else one.name for one in said]
    titles = titles or [str(one.name) for one in opened.series]
    return [title or f"series {index}" for index, title in enumerate(titles)]


def _as_part_of(main: OpenedTiff, path: Path) -> OpenedTiff:
    """Return a set as seen from another of its files."""
    linked = (main.path.name, *main.linked)
    return replace(main, path=path, linked=tuple(name for name in linked if name != path.name))


def _facts_of_makers(
    tiff: TiffFile, path: Path, series: Sequence[TiffPageSeries], logged: Sequence[str]
) -> list[ImageFacts]:
    """Read what microscope programs say in their own places; the file is open."""
    kind = series[0].kind if series else ""
    is_part = any("Returning subset" in message for message in logged)
    if kind == "mmstack":
        return facts_of_mmstack(tiff, len(series), is_part=is_part)
    if kind == "ndtiff":
        return facts_of_ndtiff(tiff, path, len(series))
    if kind == "lsm":
        return [facts_of_lsm(tiff.lsm_metadata or {})] * len(series)
    if kind == "stk":
        return [facts_of_stk(tiff.stk_metadata or {})] * len(series)
    return []


def _files_beside(path: Path, series: Sequence[TiffPageSeries]) -> tuple[str, ...]:
    """Names of the other files that a series over several files was found in."""
    pages = (page for one in series if one.is_multifile for page in one.pages if page is not None)
    names = dict.fromkeys(str(page.parent.filehandle.name) for page in pages)
    return tuple(name for name in names if name != path.name)


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
