"""TIFF in all the kinds microscopes write: OME, ImageJ and plain, one file or several."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import AxisPlan, axes_that_count, check_dtype, plan_axes
from napari_gmff.reading.generated import is_generated_tiff, with_mark
from napari_gmff.reading.messages import first_line, note_of_more
from napari_gmff.reading.stack import FocusStack
from napari_gmff.reading.storage import storage_of_tiff
from napari_gmff.reading.tiff_arrays import open_levels
from napari_gmff.reading.tiff_metadata import ImageFacts, facts_of_imagej, facts_of_ome
from napari_gmff.reading.tiff_open import OpenedTiff, choose_series, open_tiff, series_names

if TYPE_CHECKING:
    from tifffile import TiffPageSeries

KINDS = {
    "imagej": "ImageJ TIFF",
    "lsm": "Zeiss LSM",
    "mmstack": "Micro-Manager stack",
    "ndtiff": "Micro-Manager NDTiff",
    "ome": "OME-TIFF",
    "stk": "MetaMorph STK",
}
"""What tifffile calls the kinds of series, for people."""


def read_tiff(
    path: Path, *, series: int | None = None, axes: str | None = None, name: str | None = None
) -> FocusStack:
    """Open one series of a TIFF lazily.

    Parameters
    ----------
    path : Path
        OME-TIFF, ImageJ or plain TIFF, or ``.companion.ome``.
    series : int, optional
        Which image of the file; the first that is a focus stack where left out, with a note if
        there are more.
    axes : str, optional
        Meaning of its axes, overriding the file's.
    name : str, optional
        What messages call it.

    Raises
    ------
    SourceError
        If it cannot be read or is no focus stack.
    """
    opened = open_tiff(path, name)
    more: tuple[str, ...] = ()
    if series is None:
        stacks = stacks_among_series(opened, axes)
        series = stacks[0] if stacks else 0
        names = series_names(opened)
        more = note_of_more([names[number] for number in stacks])
    chosen = choose_series(opened, series)
    facts = facts_of(opened, series)
    check_dtype(opened.name, _pixel_type(chosen, opened.name))
    plan, _ = _plan(opened, series, axes)
    _check_page_axes(opened.name, plan, chosen)
    with ExitStack() as undo:
        try:
            levels = open_levels(chosen, plan, opened.name, undo)
        except SourceError:
            raise
        # Numbers in a damaged header may be anything, 0 and beyond 64 bits among them.
        except Exception as error:
            raise SourceError(f"{opened.name}: damaged TIFF ({first_line(error)})") from error
        closing = undo.pop_all()
    stack = FocusStack(
        data=levels[0],
        name=path.name,
        voxel_size_um=facts.voxel_size_um,
        z_positions_um=facts.z_positions(levels[0].shape[2], as_z=axes is None),
        origin_yx_um=facts.origin_yx_um,
        channels=facts.channels_for(levels[0].shape[1]),
        levels=levels,
        metadata={
            "reader": f"tiff-{chosen.kind}",
            "series": series,
            "image": facts.title,
            "axes": "".join(plan.letters),
        },
        notes=plan.notes + facts.notes + _photometric_notes(chosen) + more,
        storage=storage_of_tiff(chosen, _kind_in_words(opened, chosen), path),
        _close=closing.close,
    )
    return with_mark(stack) if is_generated_tiff(opened, series) else stack


def stacks_among_series(opened: OpenedTiff, axes: str | None = None) -> list[int]:
    """Return the numbers of the series that are focus stacks of the same axes.

    Labels, macro images and thumbnails of a slide have no Z axis; a single one is no position.

    Parameters
    ----------
    opened : OpenedTiff
        Its headers.
    axes : str, optional
        Meaning of the axes, overriding the file's.
    """
    found: dict[int, str] = {}
    for number, series in enumerate(opened.series):
        if series.keyframe.is_reduced:
            continue
        try:
            plan, shape = _plan(opened, number, axes)
            check_dtype(opened.name, _pixel_type(series, opened.name))
        except SourceError:
            continue
        place = plan.index("Z")
        if place is not None and shape[place] > 1:
            found[number] = axes_that_count(plan.letters, shape)
    first = next(iter(found.values()), "")
    return [number for number, letters in found.items() if letters == first]


def facts_of(opened: OpenedTiff, series: int) -> ImageFacts:
    """Gather what the metadata of a file say of one of its series."""
    chosen = opened.series[series]
    if opened.facts:
        return opened.facts[series]
    if opened.ome:
        return facts_of_ome(opened.ome[series])
    if chosen.kind == "imagej":
        return facts_of_imagej(opened.tiff.imagej_metadata or {}, chosen.keyframe)
    return ImageFacts()


def _plan(opened: OpenedTiff, number: int, axes: str | None) -> tuple[AxisPlan, tuple[int, ...]]:
    """Decide the meaning of the axes of a series; return its shape too."""
    series = opened.series[number]
    shape = series.get_shape(squeeze=False)
    file_axes = facts_of(opened, number).axes(series.get_axes(squeeze=False))
    colour = _is_colour(series)
    return plan_axes(opened.name, file_axes, shape, axes, samples_are_colour=colour), shape


def _kind_in_words(opened: OpenedTiff, series: TiffPageSeries) -> str:
    name = KINDS.get(series.kind, "TIFF")
    return f"{name} (BigTIFF)" if opened.tiff.is_bigtiff else name


def _pixel_type(series: TiffPageSeries, name: str) -> object:
    page = series.keyframe
    if page.dtype is None:
        raise SourceError(
            f"{name}: pixels of {page.bitspersample} bits in format {page.sampleformat} "
            "cannot be read"
        )
    return page.dtype


def _is_colour(series: TiffPageSeries) -> bool:
    # 0 and 1 are grey scales; 2 is RGB and 6 is YCbCr, which the decoder turns into RGB.
    return _photometric(series) not in (0, 1)


def _photometric(series: TiffPageSeries) -> int:
    """Return the number of the colour space; 0 where a damaged header gives several."""
    found: object = series.keyframe.photometric
    return int(found) if isinstance(found, int) else 0


def _photometric_notes(series: TiffPageSeries) -> tuple[str, ...]:
    photometric = _photometric(series)
    if photometric == 0:
        return ("The file shows white as 0; its stored values are used as they are.",)
    if photometric == 3 and series.kind != "imagej":
        return ("The file has a colour table; its stored values are used as intensities.",)
    return ()


def _check_page_axes(name: str, plan: AxisPlan, series: TiffPageSeries) -> None:
    y, x = plan.letters.index("Y"), plan.letters.index("X")
    file_axes = series.get_axes(squeeze=False)
    if (y, x) != (file_axes.index("Y"), file_axes.index("X")):
        raise SourceError(
            f"{name}: Y and X must stay the axes of its pages ({file_axes}), "
            f"got {''.join(plan.letters)}"
        )
