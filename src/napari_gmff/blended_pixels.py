"""Pixels that a blend computes for one window, in the pixel type of the source."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import without_gaps
from napari_gmff.selection import as_channels
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engines.base import BlendEngine
    from napari_gmff.window_reader import WindowReader


class _Source:
    """A window as a blend sees it; see `BlendSource`."""

    def __init__(self, reader: WindowReader, shape_yx: tuple[int, int]) -> None:
        self._reader = reader
        self._whole = Box(0, shape_yx[0], 0, shape_yx[1])
        self.n_slices = reader.n_slices
        self.shape_yx = shape_yx
        self.n_channels = len(as_channels(reader.raw(0, Box(0, 1, 0, 1))))

    def seen(self, position: int) -> NDArray[np.float32]:
        return self._reader.engine_slice(position)

    def pixels(self, position: int) -> NDArray[np.float32]:
        planes = as_channels(self._reader.raw(position, self._whole))
        if planes.dtype.kind != "f":
            return planes.astype(np.float32)
        return np.stack([without_gaps(plane) for plane in planes])

    def invalid(self, position: int) -> NDArray[np.bool_] | None:
        return self._reader.invalid.get(position)


def blend_pixels(
    engine: BlendEngine, reader: WindowReader, shape_yx: tuple[int, int], within: Box
) -> Generator[None, None, NDArray[Any]]:
    """Let an engine compute a window, and bring what it gives to the source's pixel type.

    Parameters
    ----------
    engine : BlendEngine
        What computes.
    reader : WindowReader
        Of the window.
    shape_yx : tuple of int
        Height and width of the window.
    within : Box
        Part that is kept, in window pixels.

    Yields
    ------
    None
        For each step of the engine.

    Returns
    -------
    ndarray, (C, h, w)
        Dtype of the source; see `as_pixels`.
    """
    dtype = reader.dtype
    with closing(engine.iter_blend(_Source(reader, shape_yx))) as steps:
        blended = yield from steps
    return as_pixels(blended[(slice(None), *within.slices)], dtype)


def as_pixels(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round to the nearest grey level and clip to what a pixel type holds.

    Parameters
    ----------
    values : ndarray, float32
        In grey levels. Of floats nothing is rounded, clipped or, where it is NaN, filled.
    dtype : numpy.dtype
        uint8, uint16, int16 or float32.
    """
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
