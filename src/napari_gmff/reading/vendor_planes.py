"""Planes that a maker's package decodes, as lazy data that stay safe once it is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import GmffError, SourceError
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.plane_cache import CachedPlanes
from napari_gmff.reading.planes import PlaneArray, lazy_array

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

Place = tuple[int, int, int]
"""Time point, channel, slice."""

ReadPlane = Callable[[Place, tuple[int, int]], "NDArray[np.generic]"]


def lazy_planes(
    name: str,
    outer: Place,
    plane_shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    read: ReadPlane,
    closing: ExitStack,
    *,
    band_rows: int | None = None,
) -> da.Array:
    """Make lazy data of axes (T, C, Z, Y, X[, S]) over a function that reads rows of a plane.

    These packages are not safe for threads, and some crash when they are used after closing:
    they are called one at a time, and never again once `closing` has begun.

    Parameters
    ----------
    name : str
        Name of the source, for messages.
    outer : tuple of int
        Lengths of T, C and Z.
    plane_shape : tuple of int
        (Y, X) or (Y, X, S).
    dtype : numpy.dtype
        Pixel type.
    read : callable
        ``read((t, c, z), (y0, y1))`` returns those rows.
    closing : ExitStack
        Is given what there is to close.
    band_rows : int, optional
        Rows that are read together, the whole plane if left out.
    """
    lock = threading.Lock()
    is_over = threading.Event()

    def decode(plane: int, rows: tuple[int, int]) -> NDArray[np.generic]:
        t, c, z = (int(index) for index in np.unravel_index(plane, outer))
        with lock:
            if is_over.is_set():
                raise SourceError(f"{name}: the stack has been closed")
            try:
                return np.array(read((t, c, z), rows))
            except (GmffError, MemoryError):
                raise
            # Whatever a package raises for a plane means that it is damaged.
            except Exception as error:
                raise SourceError(
                    f"{name}: its data are damaged at T {t}, C {c}, Z {z} ({first_line(error)})"
                ) from error

    def end() -> None:
        with lock:
            is_over.set()

    kept = CachedPlanes(
        decode, int(np.prod(outer)), plane_shape, dtype, band_rows=band_rows, name=name
    )
    closing.callback(kept.close)
    closing.callback(end)
    return lazy_array(PlaneArray(kept, outer))
