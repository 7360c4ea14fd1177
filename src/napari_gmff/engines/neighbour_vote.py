"""Where a network is unsure, the pixels round about vote on the slice.

A network that compares slices pixel by pixel scatters single pixels over far slices where none
stands out: inside smooth cells, in noise. Its probabilities, averaged over some 12 px, still
point to the right slices there. Where one slice does stand out nothing is averaged, so that edges
stay as sharp as the network draws them. What that gains is in ``docs/evaluation.md``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.engines.base import cropped
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_gmff.scores import TileScores

CELL_PX = 4
"""Probabilities are averaged over cells of this side, which lie on the window's grid."""

VOTE_MARGIN_PX = 2 * CELL_PX
"""How far beyond a box of whole cells the vote in it looks: one cell to weigh, one to blend."""

_CELL_WEIGHTS = np.array([0.25, 0.5, 0.25])

_LEAST_SHARE = 1e-30
"""Of a slice that nobody voted for; its logarithm is finite."""


def voted_scores(logits: NDArray[np.float32], below: float) -> NDArray[np.float32]:
    """Let neighbours vote at the pixels where no slice reaches a probability.

    Parameters
    ----------
    logits : ndarray, (N, h, w), float32
        Of a box of whole cells; their softmax over the slices is the probability of each.
    below : float
        Where the most probable slice has less, the pixel takes the probabilities of its cell and
        of the cells round it, weighed by 1, 2, 1 in y and x and blended between cells.

    Returns
    -------
    ndarray, (N, h, w), float32
        `logits`, with logarithms of probabilities where there was a vote. Beyond the box the
        outermost cells are taken to go on.
    """
    relative = np.exp(logits - logits.max(0))
    total = relative.sum(0)
    # The most probable slice has 1 / total.
    rows, columns = np.nonzero(total * np.float32(below) > 1)
    if not rows.size:
        return logits
    n_slices, height, width = logits.shape
    cells = (relative / total).reshape(
        n_slices, height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX
    )
    shares = cells.mean((2, 4), dtype=np.float64)
    for axis in (1, 2):
        shares = ndimage.correlate1d(shares, _CELL_WEIGHTS, axis, mode="nearest")
    voted = logits.copy()
    voted[:, rows, columns] = np.log(np.maximum(_blended(shares, rows, columns), _LEAST_SHARE))
    return voted


def vote_within(
    items: Iterator[TileScores | None], below: float, n_slices: int, shape_yx: tuple[int, int]
) -> Iterator[TileScores | None]:
    """Pass scores on with votes counted, tiles cut down to where these are exact.

    Parameters
    ----------
    items : iterator of TileScores or None
        For each tile all slices in order; tiles are boxes of whole cells.
    below : float
        See `voted_scores`.
    n_slices : int
        Number of slices.
    shape_yx : tuple of int
        Of the window.

    Yields
    ------
    TileScores or None
        None for each item taken in, then the slices of a tile: the part of it that lies
        `VOTE_MARGIN_PX` within those of its edges that are not the window's.
    """
    logits: NDArray[np.float32] | None = None
    for item in items:
        if item is not None:
            if logits is None:
                logits = np.empty((n_slices, *item.tile.shape), np.float32)
            logits[item.slice_index] = item.scores
        yield None
        if item is None or logits is None or item.slice_index < n_slices - 1:
            continue
        scores, logits = voted_scores(logits, below), None
        exact = _exact_part(item.tile, shape_yx)
        local = exact.shifted(-item.tile.y0, -item.tile.x0)
        for k in range(n_slices):
            yield replace(item, slice_index=k, tile=exact, scores=cropped(scores[k], local))


def _exact_part(tile: Box, shape_yx: tuple[int, int]) -> Box:
    height, width = shape_yx
    return Box(
        tile.y0 + VOTE_MARGIN_PX if tile.y0 else 0,
        tile.y1 - VOTE_MARGIN_PX if tile.y1 < height else height,
        tile.x0 + VOTE_MARGIN_PX if tile.x0 else 0,
        tile.x1 - VOTE_MARGIN_PX if tile.x1 < width else width,
    )


def _blended(
    shares: NDArray[np.float64], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Interpolate the shares (N, cells, cells) between centres of cells, at some pixels."""
    y0, y1, y = _between(rows, shares.shape[1])
    x0, x1, x = _between(columns, shares.shape[2])
    above = shares[:, y0, x0] * (1 - x) + shares[:, y0, x1] * x
    below = shares[:, y1, x0] * (1 - x) + shares[:, y1, x1] * x
    blended: NDArray[np.float64] = above * (1 - y) + below * y
    return blended


def _between(
    places: NDArray[np.intp], n_cells: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return the cells before and after pixels, and how far each is from the former."""
    in_cells = (places + 0.5) / CELL_PX - 0.5
    before = np.floor(in_cells).astype(np.intp)
    last = n_cells - 1
    return np.clip(before, 0, last), np.clip(before + 1, 0, last), in_cells - before
