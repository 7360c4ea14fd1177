"""Planes that can only be decoded whole, kept so that each is decoded once.

A stack that fits is kept in memory; a longer one goes, decoded, to a scratch file without a
name, so that windows times slices never decode a plane over and over, and memory stays bounded.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import numpy as np

from napari_gmff.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_LIMIT_BYTES = 256 * 2**20
"""Stacks up to this size are kept in memory once decoded."""

Decoder = Callable[[int, tuple[int, int]], "NDArray[np.generic]"]


class CachedPlanes:
    """A plane reader over a decoder of full-width bands of rows.

    Parameters
    ----------
    decode : callable
        ``decode(plane, (y0, y1))`` gives the rows (y1 - y0, X[, S]) of a plane.
    n_planes : int
        Number of planes.
    plane_shape : tuple of int
        (Y, X) or (Y, X, S).
    dtype : numpy.dtype
        Pixel type.
    band_rows : int, optional
        Rows that are decoded together, the whole plane if left out.
    memory_limit_bytes : int
        Above this, decoded bands are kept in a scratch file.
    name : str
        Name of the source, for messages.
    """

    def __init__(
        self,
        decode: Decoder,
        n_planes: int,
        plane_shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        band_rows: int | None = None,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        name: str = "stack",
    ) -> None:
        self.plane_shape = plane_shape
        self.dtype = dtype
        self.name = name
        self._decode = decode
        self._rows = min(band_rows or plane_shape[0], plane_shape[0])
        self._row_bytes = int(np.prod(plane_shape[1:])) * dtype.itemsize
        self._bands_each = -(-plane_shape[0] // self._rows)
        self._plane_bytes = self._row_bytes * plane_shape[0]
        self._in_memory = self._plane_bytes * n_planes <= memory_limit_bytes
        self._bands: dict[int, NDArray[np.generic]] = {}
        self._written: set[int] = set()
        self._scratch: IO[bytes] | None = None
        self._scratch_lock = threading.Lock()
        # A few locks shared by all bands: two threads decode two bands at once, never one twice.
        self._locks = [threading.Lock() for _ in range(16)]

    @property
    def tile_yx(self) -> tuple[int, int]:
        """Height and width of what is decoded together."""
        return self._rows, self.plane_shape[1]

    def read(
        self, plane: int, rows: tuple[int, int], columns: tuple[int, int]
    ) -> NDArray[np.generic]:
        """Read a window of a plane, decoding what has not been decoded before."""
        shape = (rows[1] - rows[0], columns[1] - columns[0], *self.plane_shape[2:])
        found = np.empty(shape, self.dtype)
        if 0 in shape:
            return found
        for band in range(rows[0] // self._rows, (rows[1] - 1) // self._rows + 1):
            top = band * self._rows
            y0, y1 = max(rows[0], top), min(rows[1], top + self._rows)
            part = self._band_rows(plane, band, (y0, y1))
            found[y0 - rows[0] : y1 - rows[0]] = part[:, columns[0] : columns[1]]
        return found

    def close(self) -> None:
        """Forget everything decoded; the scratch file vanishes."""
        with self._scratch_lock:
            self._bands.clear()
            self._written.clear()
            if self._scratch is not None:
                self._scratch.close()
                self._scratch = None

    def __del__(self) -> None:
        """Drop the scratch file of a stack that was never closed."""
        if getattr(self, "_scratch", None) is not None:
            self.close()

    def _band_rows(self, plane: int, band: int, rows: tuple[int, int]) -> NDArray[np.generic]:
        number = plane * self._bands_each + band
        top = band * self._rows
        with self._locks[number % len(self._locks)]:
            if number in self._bands:
                return self._bands[number][rows[0] - top : rows[1] - top]
            if number in self._written:
                return self._from_scratch(plane, rows)
            bottom = min(top + self._rows, self.plane_shape[0])
            decoded = np.ascontiguousarray(self._decode(plane, (top, bottom)), self.dtype)
            expected = (bottom - top, *self.plane_shape[1:])
            if decoded.shape != expected:
                raise SourceError(
                    f"{self.name}: plane {plane} must hold {expected} pixels, found {decoded.shape}"
                )
            if self._in_memory:
                self._bands[number] = decoded
            else:
                self._to_scratch(plane, top, decoded)
                self._written.add(number)
            return decoded[rows[0] - top : rows[1] - top]

    def _to_scratch(self, plane: int, top: int, decoded: NDArray[np.generic]) -> None:
        with self._scratch_lock:
            try:
                if self._scratch is None:
                    self._scratch = tempfile.TemporaryFile(prefix="napari-gmff-")
                self._scratch.seek(plane * self._plane_bytes + top * self._row_bytes)
                self._scratch.write(decoded.data.cast("B"))
                self._scratch.flush()
            except OSError as error:
                raise SourceError(
                    f"{self.name}: no room for its decoded planes in {tempfile.gettempdir()} "
                    f"({error.strerror}); name a larger folder in the variable TMPDIR"
                ) from error

    def _from_scratch(self, plane: int, rows: tuple[int, int]) -> NDArray[np.generic]:
        found = np.empty((rows[1] - rows[0], *self.plane_shape[1:]), self.dtype)
        with self._scratch_lock:
            if self._scratch is None:
                raise SourceError(f"{self.name}: the stack has been closed")
            self._scratch.seek(plane * self._plane_bytes + rows[0] * self._row_bytes)
            found.data.cast("B")[:] = self._scratch.read(found.nbytes)
        return found
