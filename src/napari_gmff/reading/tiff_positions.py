"""Series of microscope programs that hold several positions along an axis, taken apart."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tifffile import TiffPageSeries

POSITION_AXES = {"mmstack": "R", "ndtiff": "RJK", "lsm": "PM"}
"""Letters that tifffile gives to positions, tiles, columns and rows, by the kind of series."""


def split_positions(series: TiffPageSeries) -> list[TiffPageSeries]:
    """Return a series for each position of one that has them along an axis.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Its pages are listed one by one.

    Returns
    -------
    list of tifffile.TiffPageSeries
        The series itself where there is no such axis.
    """
    from tifffile import TiffPageSeries

    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    letters = POSITION_AXES.get(series.kind, "")
    places = [place for place, letter in enumerate(axes) if letter in letters]
    n_outer = len(shape) - _n_inner(series)
    if not places or max(places) >= n_outer:
        return [series]
    pages = series.pages
    numbers = np.arange(int(np.prod(shape[:n_outer]))).reshape(shape[:n_outer])
    kept = [place for place in range(len(shape)) if place not in places]
    found = []
    for chosen in product(*(range(shape[place]) for place in places)):
        part = numbers
        for place, index in sorted(zip(places, chosen, strict=True), reverse=True):
            part = np.take(part, [index], axis=place)
        found.append(
            TiffPageSeries(
                [pages[int(number)] for number in part.flat],
                shape=tuple(shape[place] for place in kept),
                dtype=series.dtype,
                axes="".join(axes[place] for place in kept),
                parent=series.parent,
                name=series.name,
                kind=series.kind,
                multifile=series.is_multifile,
                squeeze=False,
            )
        )
    return found


def _n_inner(series: TiffPageSeries) -> int:
    """Count the axes, from the last, that lie within a page."""
    shape, n_pages = series.get_shape(squeeze=False), len(series.pages)
    for n_outer in range(len(shape), -1, -1):
        if int(np.prod(shape[:n_outer], dtype=object)) == n_pages:
            return len(shape) - n_outer
    return len(shape)
