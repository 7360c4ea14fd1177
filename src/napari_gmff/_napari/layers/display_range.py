"""Contrast limits of a lazy stack from a few small tiles: no plane is read whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.reading.computing import computed

if TYPE_CHECKING:
    import dask.array as da

    from napari_gmff.reading.stack import FocusStack

TILE_PX = 64
BUDGET_S = 0.15
"""No further tile is read after this, so that a slow disk does not hold up the window."""

_PERCENTILES = (0.1, 99.9)


def display_range(stack: FocusStack, channel: int) -> tuple[float, float]:
    """Estimate the intensities to show as black and white.

    Parameters
    ----------
    stack : FocusStack
        Its coarsest level is sampled, the middle slice first; 8 bit is not read at all.
    channel : int
        Number of the channel.

    Returns
    -------
    tuple of float
        Percentiles 0.1 and 99.9 of the samples, the second above the first; the range of the
        pixel type where a file cannot be read, which is then said when it is shown.
    """
    whole = _range_of_type(stack.dtype)
    if stack.dtype == np.uint8:
        return whole
    try:
        values = _samples(stack.levels[-1][0, channel])
    # A damaged chunk is met again, and reported, when it is to be shown or fused.
    except Exception:
        return whole
    if values.size == 0:
        return whole
    low, high = (float(edge) for edge in np.percentile(values, _PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)


def _samples(level: da.Array) -> np.ndarray[Any, Any]:
    """Read finite values of tiles spread over an array of axes (Z, Y, X[, S])."""
    import dask

    started = perf_counter()
    found = []
    # Threads cost more than they bring for tiles this small.
    with dask.config.set(scheduler="synchronous"):
        for tile in _tiles(level.shape[:3]):
            found.append(computed(level[tile]).ravel())
            if perf_counter() - started > BUDGET_S:
                break
    values = np.concatenate(found)
    return values[np.isfinite(values)]


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[int, slice, slice]]:
    """Yield places from the middle outwards: slices 1/2, 1/4 and 3/4, 3 × 3 tiles in each."""
    n_slices, height, width = shape
    for z in dict.fromkeys((n_slices // 2, n_slices // 4, 3 * n_slices // 4)):
        spots = product(_starts(height), _starts(width))
        for y, x in spots:
            yield z, slice(y, y + TILE_PX), slice(x, x + TILE_PX)


def _starts(length: int) -> tuple[int, ...]:
    if length <= TILE_PX:
        return (0,)
    centres = (length // 2, length // 6, 5 * length // 6)
    return tuple(dict.fromkeys(min(max(c - TILE_PX // 2, 0), length - TILE_PX) for c in centres))


def _range_of_type(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)
