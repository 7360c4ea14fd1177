"""Pixels of a TIFF: numpy maps pages that lie there plainly, tifffile's zarr store the rest."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.arrays import Lease, OrderedArray, as_dask
from napari_gmff.reading.tiff_check import check_pages

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray
    from tifffile import TiffFrame, TiffPage, TiffPageSeries

    from napari_gmff.reading.axes import AxisPlan

BAND_ROWS = 64
"""Strips are decoded about this many rows at a time: few lookups, little read in vain."""


class MappedPages:
    """Uncompressed pages, each in one piece, as one array in the axes of the file.

    A page is mapped for each read, copied from, and unmapped at once: a map that stays open
    counts as memory of the process for every part ever touched.

    Parameters
    ----------
    places : list of (Path, int)
        File and first byte of each page.
    shape : tuple of int
        Lengths of all axes.
    n_outer : int
        How many of them, from the first, count pages.
    file_dtype : numpy.dtype
        Pixel type in the byte order of the file.
    """

    def __init__(
        self,
        places: list[tuple[Path, int]],
        shape: tuple[int, ...],
        n_outer: int,
        file_dtype: np.dtype[np.generic],
    ) -> None:
        self.shape = shape
        self.ndim = len(shape)
        self.dtype = file_dtype.newbyteorder("=")
        # Any pixel can be read on its own.
        self.chunks = (1,) * len(shape)
        self._places = places
        self._numbers = np.arange(len(places)).reshape(shape[:n_outer])
        self._page_shape = shape[n_outer:]
        self._file_dtype = file_dtype

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[np.generic]:
        """Read by an integer or a slice for each axis."""
        n_outer = self._numbers.ndim
        numbers = np.asarray(self._numbers[key[:n_outer]])
        inner = key[n_outer:]
        shape = np.broadcast_to(0, self._page_shape)[inner].shape
        found = np.empty((numbers.size, *shape), self.dtype)
        for index, number in enumerate(numbers.flat):
            path, offset = self._places[number]
            found[index] = np.memmap(path, self._file_dtype, "r", offset, self._page_shape)[inner]
        return found.reshape(numbers.shape + shape)


def open_levels(
    series: TiffPageSeries, plan: AxisPlan, name: str, closing: ExitStack
) -> tuple[da.Array, ...]:
    """Make lazy arrays of the pyramid levels of a series.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        With its pages loaded; its files may be closed.
    plan : AxisPlan
        Meaning of its axes.
    name : str
        Name of the source, for messages.
    closing : ExitStack
        Is given what there is to close; the arrays cannot be read afterwards.

    Returns
    -------
    tuple of dask.array.Array
        Axes (T, C, Z, Y, X[, S]), finest first, in native byte order.

    Raises
    ------
    SourceError
        If pages are missing or reach beyond the end of their file.
    """
    arrays: list[Any] = [_mapped(level, name) for level in series.levels]
    bands = [
        _band_rows(level) if array is None else None
        for array, level in zip(arrays, series.levels, strict=True)
    ]
    lease = Lease()
    if None in arrays:
        import zarr

        from napari_gmff.reading.tiff_store import TiffStore

        # One store for all levels: each closes and opens files as if it were the only reader.
        store = TiffStore(series)
        lease = Lease(store.close)
        group = zarr.open_group(store, mode="r")
        arrays = [
            group[str(index)] if array is None else array for index, array in enumerate(arrays)
        ]
    closing.callback(lease.end)
    return tuple(
        as_dask(OrderedArray(array, plan, name, lease), band_rows=band_rows, closing=closing)
        for array, band_rows in zip(arrays, bands, strict=True)
    )


def _mapped(level: TiffPageSeries, name: str) -> MappedPages | None:
    """Pages to be mapped; None where they must be decoded or put together."""
    keyframe = level.keyframe
    file_dtype = np.dtype(keyframe.dtype).newbyteorder(keyframe.parent.byteorder)
    shape = level.get_shape(squeeze=False)
    start = None if level.is_multifile else level.dataoffset
    if start is not None:
        # ImageJ writes a single page and all slices after it, so pages do not count here.
        path = Path(keyframe.parent.filehandle.path)
        end = start + int(np.prod(shape, dtype=object)) * file_dtype.itemsize
        size = path.stat().st_size
        if end > size:
            raise SourceError(
                f"{name}: truncated TIFF, its planes need {end} bytes but the file has {size}"
            )
        return MappedPages([(path, start)], shape, 0, file_dtype)
    n_outer = _n_outer(level, name)
    pages = [page for page in level if page is not None]
    check_pages(pages, int(np.prod(shape[:n_outer])), name)
    if not keyframe.is_final or not all(_in_one_piece(page) for page in pages):
        return None
    places = [(Path(page.parent.filehandle.path), int(page.dataoffsets[0])) for page in pages]
    return MappedPages(places, shape, n_outer, file_dtype)


def _n_outer(level: TiffPageSeries, name: str) -> int:
    """How many axes, from the first, count pages."""
    shape, page_size = level.get_shape(squeeze=False), level.keyframe.size
    for n_outer in range(len(shape), -1, -1):
        if int(np.prod(shape[n_outer:], dtype=object)) == page_size:
            return n_outer
    raise SourceError(
        f"{name}: damaged TIFF, pages of {level.keyframe.shape} pixels do not make up {shape}"
    )


def _in_one_piece(page: TiffPage | TiffFrame) -> bool:
    offsets = np.asarray(page.dataoffsets, np.int64)
    counts = np.asarray(page.databytecounts, np.int64)
    return bool(
        offsets[0] > 0
        and (offsets[1:] == offsets[:-1] + counts[:-1]).all()
        and counts.sum() >= page.nbytes
    )


def _band_rows(level: TiffPageSeries) -> int | None:
    """Rows worth decoding once and keeping; None where what a window touches is cheap to read."""
    page = level.keyframe
    if page.is_tiled:
        return None
    return max(1, round(BAND_ROWS / page.rowsperstrip)) * int(page.rowsperstrip)
