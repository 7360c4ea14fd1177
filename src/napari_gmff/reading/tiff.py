"""TIFF in all the kinds microscopes write: OME, ImageJ and plain, one file or several."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import AxisPlan, check_dtype, plan_axes
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.stack import FocusStack
from napari_gmff.reading.tiff_arrays import open_levels
from napari_gmff.reading.tiff_metadata import ImageFacts, facts_of_imagej, facts_of_ome
from napari_gmff.reading.tiff_open import OpenedTiff, choose_series, open_tiff

if TYPE_CHECKING:
    from tifffile import TiffPageSeries


def read_tiff(
    path: Path, *, series: int = 0, axes: str | None = None, name: str | None = None
) -> FocusStack:
    """Open one series of a TIFF lazily.

    Parameters
    ----------
    path : Path
        OME-TIFF, ImageJ or plain TIFF, or ``.companion.ome``.
    series : int
        Which image of the file.
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
    chosen = choose_series(opened, series)
    facts = facts_of(opened, series)
    shape = chosen.get_shape(squeeze=False)
    check_dtype(opened.name, _pixel_type(chosen, opened.name))
    plan = plan_axes(
        opened.name,
        facts.axes(chosen.get_axes(squeeze=False)),
        shape,
        axes,
        samples_are_colour=_is_colour(chosen),
    )
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
    return FocusStack(
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
        notes=plan.notes + facts.notes + _photometric_notes(chosen),
        _close=closing.close,
    )


def facts_of(opened: OpenedTiff, series: int) -> ImageFacts:
    """Gather what the metadata of a file say of one of its series."""
    chosen = opened.series[series]
    if opened.ome:
        return facts_of_ome(opened.ome[series])
    if chosen.kind == "imagej":
        return facts_of_imagej(opened.tiff.imagej_metadata or {}, chosen.keyframe)
    return ImageFacts()


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
    return int(series.keyframe.photometric) not in (0, 1)


def _photometric_notes(series: TiffPageSeries) -> tuple[str, ...]:
    photometric = int(series.keyframe.photometric)
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
