"""Planes that are kept as a lazy array: dask asks for windows of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_gmff.reading.plane_cache import CachedPlanes

CHUNK_PX = 1024
"""Side of the chunks of lazy data, rounded to whole tiles of the file."""

Bounds = tuple[int, int]
Key = int | slice


class PlaneArray:
    """Array of axes (T, C, Z, Y, X[, S]) over planes that are decoded once and kept.

    Parameters
    ----------
    planes : CachedPlanes
        Where the pixels come from.
    outer : tuple of int
        Lengths (T, C, Z); planes are numbered in this order.
    """

    def __init__(self, planes: CachedPlanes, outer: tuple[int, ...]) -> None:
        self.planes = planes
        self.dtype = planes.dtype
        self.shape = outer + planes.plane_shape
        self.ndim = len(self.shape)
        self._numbers = np.arange(int(np.prod(outer))).reshape(outer)

    def __dask_tokenize__(self) -> str:
        """Name of this array in a graph: two openings are never taken for one another."""
        return uuid.uuid4().hex

    def __getitem__(self, key: tuple[Key, ...]) -> NDArray[np.generic]:
        """Read by integers and slices, which may leave out trailing axes."""
        full = (*key, *(slice(None),) * (self.ndim - len(key)))
        numbers = np.asarray(self._numbers[full[:3]])
        rows, row_part = _bounds(full[3], self.shape[3])
        columns, column_part = _bounds(full[4], self.shape[4])
        shape = (numbers.size, rows[1] - rows[0], columns[1] - columns[0], *self.shape[5:])
        found = np.empty(shape, self.dtype)
        for index, number in enumerate(numbers.flat):
            found[index] = self.planes.read(int(number), rows, columns)
        found = found[(slice(None), row_part, column_part, *full[5:])]
        return found.reshape(numbers.shape + found.shape[1:])


def lazy_array(array: PlaneArray) -> da.Array:
    """Wrap a plane array for dask, so that only the windows asked for are read.

    Returns
    -------
    dask.array.Array
        Of the same axes; one chunk is one plane's part of about 1024² pixels, made of whole
        tiles.
    """
    import dask.array as da

    chunk_yx = tuple(
        chunk_length(tile, length)
        for tile, length in zip(array.planes.tile_yx, array.shape[3:5], strict=True)
    )
    lazy: da.Array = da.from_array(
        array,
        chunks=(1, 1, 1, *chunk_yx, *array.shape[5:]),
        meta=np.empty((0,) * array.ndim, array.dtype),
        inline_array=True,
    )
    return lazy


def evenly(n_slices: int, step_um: float, start_um: float = 0.0) -> NDArray[np.float64]:
    """Positions of evenly spaced slices in µm; a negative step makes them fall."""
    return np.asarray(start_um + np.arange(n_slices) * step_um, np.float64)


def chunk_length(tile: int, length: int) -> int:
    """Length in pixels of a chunk of whole tiles, about 1024."""
    if tile >= length or tile > CHUNK_PX:
        return min(length, CHUNK_PX)
    return min(length, tile * max(1, round(CHUNK_PX / tile)))


def _bounds(key: Key, length: int) -> tuple[Bounds, Key]:
    """Half-open bounds to read, and what to take of them."""
    wanted = np.atleast_1d(np.arange(length)[key])
    part = slice(None, None, key.step) if isinstance(key, slice) else 0
    if wanted.size == 0:
        return (0, 0), part
    return (int(wanted.min()), int(wanted.max()) + 1), part
