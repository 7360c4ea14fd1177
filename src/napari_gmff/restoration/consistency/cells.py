"""Coarse maps: one value for each square cell of an image, and back to pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.windows import Box

CELL_PX = 16
"""Blur is taken for the same within a cell, and measured on it and those around."""

_NEAR_CELLS = 1.0
_FILL_CELLS = 3.0


def n_cells(shape_yx: tuple[int, int]) -> tuple[int, int]:
    """Return how many cells, whole or cut, an image has along y and x."""
    return -(-shape_yx[0] // CELL_PX), -(-shape_yx[1] // CELL_PX)


def cell_means(pixels: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the mean of each cell of pixels (h, w) whose corner is one of a cell."""
    starts_y, starts_x = (np.arange(0, side, CELL_PX) for side in pixels.shape)
    rows = np.add.reduceat(pixels.astype(np.float64), starts_y, axis=0)
    sums = np.add.reduceat(rows, starts_x, axis=1)
    heights, widths = (
        np.minimum(CELL_PX, side - s)
        for side, s in zip(pixels.shape, (starts_y, starts_x), strict=True)
    )
    return np.asarray(sums / np.outer(heights, widths))


def smoothed(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average cells (..., ny, nx) with those around."""
    return np.asarray(ndimage.gaussian_filter(cells, _NEAR_CELLS, mode="nearest", axes=(-2, -1)))


def filled(cells: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill cells (ny, nx) that are not known from the known ones around, far ones from the median.

    Known cells are smoothed a little too: a blur that was measured wrong in one cell of many is
    no harm then. Where none is known the result is 0.
    """
    if not known.any():
        return np.zeros_like(cells)
    median = float(np.median(cells[known]))
    values = np.where(known, cells, median)
    weight = np.where(known, 1.0, 0.0)
    near = ndimage.gaussian_filter(weight * values, _NEAR_CELLS, mode="nearest")
    near_weight = ndimage.gaussian_filter(weight, _NEAR_CELLS, mode="nearest")
    far = ndimage.gaussian_filter(weight * values, _FILL_CELLS, mode="nearest")
    far_weight = ndimage.gaussian_filter(weight, _FILL_CELLS, mode="nearest")
    # Each step counts where the one before has little to say.
    wide = (far + 0.01 * median) / (far_weight + 0.01)
    return np.asarray((near + 0.05 * wide) / (near_weight + 0.05))


def at_pixels(cells: NDArray[np.float64], box: Box) -> NDArray[np.float32]:
    """Interpolate cells (ny, nx) linearly at the pixels of a part of the image."""
    rows = _mixing(cells.shape[0], box.y0, box.y1)
    columns = _mixing(cells.shape[1], box.x0, box.x1)
    return np.asarray(rows @ cells @ columns.T, np.float32)


def _mixing(n: int, start: int, stop: int) -> NDArray[np.float64]:
    """Return the share of each cell in each pixel, (stop - start, n)."""
    centres = (np.arange(start, stop) + 0.5) / CELL_PX - 0.5
    place = np.clip(centres, 0, n - 1)
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(n)), 0, 1))
