"""A network that compares slices pixel by pixel looks again, at half the resolution.

It reaches twice as far there, and noise is half as strong: faint structure in noise, and smooth
cells in brightfield, are told apart better. Fine detail is told apart worse, so the second look
counts little: it decides where the first is undecided. What that gains is in ``docs/training.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TILE_MULTIPLE_PX = 4
"""The network's fine tiles begin and end on its grid of cells."""

_NEAR, _FAR = np.float32(0.75), np.float32(0.25)
"""Shares of the two nearest pixels of half resolution: centres lie a quarter pixel off."""


def halved_plane(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average cells of 2 x 2 px.

    Parameters
    ----------
    plane : ndarray, (H, W), float32
        Sides even.

    Returns
    -------
    ndarray, (H / 2, W / 2), float32
    """
    rows = plane[::2] + plane[1::2]
    mean: NDArray[np.float32] = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return mean


def box_behind(tile: Box, shape_yx: tuple[int, int]) -> Box:
    """Return what must be scored at half resolution to know all of a tile.

    Parameters
    ----------
    tile : Box
        In pixels of the window, beginning and ending on multiples of 4.
    shape_yx : tuple of int
        Of the window at half resolution; multiples of 4.

    Returns
    -------
    Box
        In pixels of half resolution: one more on all sides than the tile covers, as far as there
        are any, and on the network's grid.
    """
    bounds = []
    for start, stop, size in (
        (tile.y0, tile.y1, shape_yx[0]),
        (tile.x0, tile.x1, shape_yx[1]),
    ):
        first, last = start // 2 - 1, stop // 2 + 1
        bounds.append(max(first // _TILE_MULTIPLE_PX * _TILE_MULTIPLE_PX, 0))
        bounds.append(min(-(-last // _TILE_MULTIPLE_PX) * _TILE_MULTIPLE_PX, size))
    return Box(*bounds)


def raised(scores: NDArray[np.float32], box: Box, tile: Box) -> NDArray[np.float32]:
    """Interpolate scores of half resolution linearly, to those of a tile.

    Parameters
    ----------
    scores : ndarray, (h, w), float32
        Of `box`, as `box_behind` gives it.
    box : Box
        In pixels of half resolution.
    tile : Box
        In pixels of the window.

    Returns
    -------
    ndarray, float32
        Of the tile's shape; beyond the window its outermost pixels are taken to go on.
    """
    for axis, (start, stop, offset) in enumerate(
        ((tile.y0, tile.y1, box.y0), (tile.x0, tile.x1, box.x0))
    ):
        wanted = np.arange(start // 2 - 1, stop // 2 + 1) - offset
        taken = scores.take(wanted, axis, mode="clip")
        taken = np.moveaxis(taken, axis, 0)
        doubled = np.empty((stop - start, taken.shape[1]), np.float32)
        doubled[::2] = _NEAR * taken[1:-1] + _FAR * taken[:-2]
        doubled[1::2] = _NEAR * taken[1:-1] + _FAR * taken[2:]
        scores = np.moveaxis(doubled, 0, axis)
    return scores


def joined(
    scores: NDArray[np.float32], raised_scores: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    """Return the mean of logits of both looks, that of the second weighed by `weight`.

    Up to a constant for each pixel, which softmax over the slices does not see, this is the
    logarithm of the product of both looks' probabilities, each to the power of its share.
    """
    first = np.float32(1 / (1 + weight))
    second = np.float32(weight / (1 + weight))
    return first * scores + second * raised_scores
