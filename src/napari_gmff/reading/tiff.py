"""TIFF in all the kinds microscopes write: OME, ImageJ and plain, one file or several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import AxisPlan, check_dtype, plan_axes, planes_by_tcz
from napari_gmff.reading.byte_ranges import ByteRanges
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.plane_cache import CachedPlanes
from napari_gmff.reading.planes import PlaneArray, PlaneReader, lazy_array
from napari_gmff.reading.stack import FocusStack
from napari_gmff.reading.tiff_check import check_planes
from napari_gmff.reading.tiff_metadata import ImageFacts, facts_of_imagej, facts_of_ome
from napari_gmff.reading.tiff_open import OpenedTiff, choose_series, open_tiff
from napari_gmff.reading.tiff_planes import RawPlanes, SegmentedPlanes, TiffPlane

if TYPE_CHECKING:
    import dask.array as da
    from tifffile import TiffFrame, TiffPage, TiffPageSeries


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
    levels = TiffLevels(opened.name, plan)
    try:
        arrays = tuple(levels.open(level) for level in chosen.levels)
    # Numbers in a damaged header may be anything, 0 and beyond 64 bits among them.
    except (ArithmeticError, LookupError, TypeError) as error:
        levels.close()
        raise SourceError(f"{opened.name}: damaged TIFF ({first_line(error)})") from error
    except BaseException:
        levels.close()
        raise
    return FocusStack(
        data=arrays[0],
        name=path.name,
        voxel_size_um=facts.voxel_size_um,
        z_positions_um=facts.z_positions(arrays[0].shape[2], as_z=axes is None),
        origin_yx_um=facts.origin_yx_um,
        channels=facts.channels_for(arrays[0].shape[1]),
        levels=arrays,
        metadata={
            "reader": f"tiff-{chosen.kind}",
            "series": series,
            "image": facts.title,
            "axes": "".join(plan.letters),
        },
        notes=plan.notes + facts.notes + _photometric_notes(chosen),
        _close=levels.close,
    )


def facts_of(opened: OpenedTiff, series: int) -> ImageFacts:
    """Gather what the metadata of a file say of one of its series."""
    chosen = opened.series[series]
    if opened.ome:
        return facts_of_ome(opened.ome[series])
    if chosen.kind == "imagej":
        return facts_of_imagej(opened.tiff.imagej_metadata or {}, chosen.keyframe)
    return ImageFacts()


class TiffLevels:
    """Opens the pyramid levels of a series over shared file handles.

    Parameters
    ----------
    name : str
        Name of the source, for messages.
    plan : AxisPlan
        Meaning of the axes of the series.
    files : ByteRanges, optional
        Handles shared with others, which `close` then leaves open.
    """

    def __init__(self, name: str, plan: AxisPlan, files: ByteRanges | None = None) -> None:
        self.name = name
        self._plan = plan
        self._files = files or ByteRanges()
        self._closers: list[Callable[[], None]] = [] if files else [self._files.close]

    def close(self) -> None:
        """Close all files and drop what was kept of them."""
        for close in self._closers:
            close()

    def open(self, level: TiffPageSeries) -> da.Array:
        """Make the lazy array of one level."""
        return lazy_array(self.plane_array(level))

    def plane_array(self, level: TiffPageSeries, *, keep: bool = True) -> PlaneArray:
        """Make the array of one level, for windows to be read from.

        Parameters
        ----------
        level : tifffile.TiffPageSeries
            Level of the series.
        keep : bool
            Decode strips only once and keep them, where a window would decode far too much.
        """
        separate, _, _, _, interleaved = level.keyframe.shaped
        letters = list(self._plan.letters)
        shape = list(level.get_shape(squeeze=False))
        sample_letter = ""
        if max(separate, interleaved) > 1:
            # A page's samples stand right before its rows or right after its columns.
            y = letters.index("Y")
            place = y - 1 if separate > 1 else y + 2
            sample_letter, letters[place], shape[place] = letters[place], "", 1
        numbers = planes_by_tcz(AxisPlan(tuple(letters)), shape)
        planes, raw = _planes(level, numbers.size, self.name)
        if len(planes) != numbers.size:
            raise SourceError(
                f"{self.name}: {numbers.size} planes are described, found {len(planes)}"
            )
        check_planes(planes, self.name)
        reader: PlaneReader
        if raw:
            reader = self._raw_reader(level, planes)
        else:
            reader = SegmentedPlanes(planes, level.keyframe, self._files)
            reader.check(self.name)
            if keep and reader.band_rows is not None:
                reader = self._kept(reader, reader.band_rows)
        return PlaneArray(reader, numbers, samples_as_channels=sample_letter == "C")

    def _raw_reader(self, level: TiffPageSeries, planes: list[TiffPlane]) -> PlaneReader:
        separate, _, height, width, interleaved = level.keyframe.shaped
        samples = max(separate, interleaved)
        return RawPlanes(
            planes,
            (height, width, samples) if samples > 1 else (height, width),
            _file_dtype(level),
            self._files,
            separate_samples=separate > 1,
        )

    def _kept(self, segments: SegmentedPlanes, band_rows: int) -> CachedPlanes:
        kept = CachedPlanes(
            segments.read_band,
            len(segments.planes),
            segments.plane_shape,
            segments.dtype,
            band_rows=band_rows,
            name=self.name,
        )
        self._closers.append(kept.close)
        return kept


def _planes(level: TiffPageSeries, n_planes: int, name: str) -> tuple[list[TiffPlane], bool]:
    """Where each plane lies, and whether the planes are uncompressed and in one piece each."""
    separate, _, height, width, interleaved = level.keyframe.shaped
    sample_bytes = height * width * interleaved * _file_dtype(level).itemsize
    counts = np.full(separate, sample_bytes, np.int64)
    steps = np.arange(separate, dtype=np.int64) * sample_bytes
    start = level.dataoffset
    if start is not None:
        # ImageJ writes a single page and all slices after it, so pages do not count here.
        path = Path(level.keyframe.parent.filehandle.path)
        plane_bytes = separate * sample_bytes
        size = path.stat().st_size
        if start + n_planes * plane_bytes > size:
            raise SourceError(
                f"{name}: truncated TIFF, {n_planes} planes need {start + n_planes * plane_bytes} "
                f"bytes but the file has {size}"
            )
        return [
            TiffPlane(path, index, start + index * plane_bytes + steps, counts)
            for index in range(n_planes)
        ], True
    pages = [page for page in level.pages if page is not None]
    raw = all(page.is_final and _in_one_piece(page) for page in pages)
    found = []
    for page in pages:
        offsets = np.asarray(page.dataoffsets, np.int64)
        found.append(
            TiffPlane(
                Path(page.parent.filehandle.path),
                page.index,
                offsets[0] + steps if raw else offsets,
                counts if raw else np.asarray(page.databytecounts, np.int64),
                page.jpegtables,
            )
        )
    return found, raw


def _in_one_piece(page: TiffPage | TiffFrame) -> bool:
    offsets = np.asarray(page.dataoffsets, np.int64)
    counts = np.asarray(page.databytecounts, np.int64)
    return len(offsets) > 0 and bool(
        len(offsets) == 1 or (offsets[1:] == offsets[:-1] + counts[:-1]).all()
    )


def _file_dtype(level: TiffPageSeries) -> np.dtype[np.generic]:
    dtype: np.dtype[np.generic] = np.dtype(level.keyframe.dtype)
    return dtype.newbyteorder(level.keyframe.parent.byteorder)


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
    if series.keyframe.shaped[1] > 1 and series.dataoffset is None:
        raise SourceError(f"{name}: pages that hold volumes (ImageDepth) cannot be read")
