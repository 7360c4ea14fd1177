"""Any reader of planes as a lazy array: dask asks for windows, the reader gets them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

CHUNK_PX = 1024
"""Side of the chunks of lazy data, rounded to whole tiles of the file."""

Bounds = tuple[int, int]
Key = int | slice


class PlaneReader(Protocol):
    """What a format has to provide: parts of numbered planes."""

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """(Y, X) or (Y, X, S) of every plane."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Pixel type, in native byte order."""

    @property
    def tile_yx(self) -> tuple[int, int]:
        """Height and width in pixels of what can be read on its own."""

    def read(self, plane: int, rows: Bounds, columns: Bounds) -> NDArray[np.generic]:
        """Read a window (y, x[, s]) of a plane, bounds half-open; may be called by threads."""


class PlaneArray:
    """Array of axes (T, C, Z, Y, X[, S]) over a plane reader.

    Parameters
    ----------
    reader : PlaneReader
        Where the pixels come from.
    numbers : ndarray of int, shape (T, C, Z)
        Number of the reader's plane for each (t, c, z).
    samples_as_channels : bool
        The samples of a plane are its channels: C of `numbers` is then 1.
    """

    def __init__(
        self,
        reader: PlaneReader,
        numbers: NDArray[np.int64],
        *,
        samples_as_channels: bool = False,
    ) -> None:
        self.reader = reader
        self.numbers = numbers
        self.samples_as_channels = samples_as_channels
        self.dtype = reader.dtype
        outer = tuple(int(length) for length in numbers.shape)
        plane_shape = reader.plane_shape
        if samples_as_channels:
            outer = (outer[0], plane_shape[2], outer[2])
            plane_shape = plane_shape[:2]
        self.shape = outer + plane_shape
        self.ndim = len(self.shape)

    def __dask_tokenize__(self) -> str:
        """Name of this array in a graph: two openings are never taken for one another."""
        return uuid.uuid4().hex

    def __getitem__(self, key: tuple[Key, ...]) -> NDArray[np.generic]:
        """Read by integers and slices, which may leave out trailing axes."""
        keys = key if isinstance(key, tuple) else (key,)
        full = keys + (slice(None),) * (self.ndim - len(keys))
        outer = [_indices(part, self.shape[axis]) for axis, part in enumerate(full[:3])]
        rows, row_part = _bounds(full[3], self.shape[3])
        columns, column_part = _bounds(full[4], self.shape[4])
        rest = self.shape[5:]
        lengths = (*map(len, outer), rows[1] - rows[0], columns[1] - columns[0], *rest)
        found = np.empty(lengths, self.dtype)
        for place in np.ndindex(*lengths[:3]):
            t, c, z = (outer[axis][index] for axis, index in enumerate(place))
            found[place] = self._plane(t, c, z, rows, columns)
        inner = tuple(0 if isinstance(part, int) else slice(None) for part in full[:3])
        return found[(*inner, row_part, column_part, *full[5:])]

    def _plane(self, t: int, c: int, z: int, rows: Bounds, columns: Bounds) -> NDArray[np.generic]:
        if self.samples_as_channels:
            return self.reader.read(int(self.numbers[t, 0, z]), rows, columns)[..., c]
        return self.reader.read(int(self.numbers[t, c, z]), rows, columns)


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
        for tile, length in zip(array.reader.tile_yx, array.shape[3:5], strict=True)
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


def _indices(key: Key, length: int) -> range:
    if isinstance(key, slice):
        return range(*key.indices(length))
    number = int(key) + (length if key < 0 else 0)
    if not 0 <= number < length:
        raise IndexError(f"index {key} is outside an axis of length {length}")
    return range(number, number + 1)


def _bounds(key: Key, length: int) -> tuple[Bounds, Key]:
    """Half-open bounds to read, and what to take of them."""
    wanted = _indices(key, length)
    if isinstance(key, slice):
        if len(wanted) == 0:
            return (0, 0), slice(None)
        low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
        step = wanted.step
        return (low, high), slice(None, None, step)
    return (wanted[0], wanted[0] + 1), 0
