"""Step 3 of the data flow: from scores to slices. Shared by all engines.

Scores arrive slice by slice and are folded into running results, so that memory does not grow
with the number of slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_gmff.scores import ScoreKind

FloatMap = NDArray[np.float32]
DoubleMap = NDArray[np.float64]


NEIGHBOUR_WEIGHT = 0.25
"""Share in the confidence of a slice next to the best; tried: 1, 0.5, 0.25, 0.1 and 0."""


@dataclass(frozen=True)
class Selection:
    """What was chosen in one tile.

    Attributes
    ----------
    position : ndarray, (h, w), int32
        Position of the chosen slice among the slices scored, 0-based.
    confidence : ndarray, (h, w), float32
        0 (no better than chance) to 1 (certain).
    before, best, after : ndarray, (h, w), float32
        Scores of the chosen slice and of its neighbours; NaN where there is no neighbour.
    """

    position: NDArray[np.int32]
    confidence: FloatMap
    before: FloatMap
    best: FloatMap
    after: FloatMap


class SliceSelector:
    """Running argmax over slices, with what confidence and depth need.

    Parameters
    ----------
    shape_yx : tuple of int
        Size of the tile.
    ordered : bool
        Whether slices that follow each other are neighbours in z.

    Notes
    -----
    Confidence is 1 - M, where M is the mean over the other slices of exp(score - best): 1 where
    one slice stands out, 0 where all are equal. For focus energies it is their contrast,
    1 - mean / maximum, brought to 0...1. In an ordered stack the two neighbours of the best slice
    count `NEIGHBOUR_WEIGHT` in that mean, for to be one slice off is a small mistake: confidence
    then tells better which pixels are more than one slice off (``docs/training.md``). Without
    order it does not depend on how the slices follow each other. Only slices that are valid at
    the pixel count; where there is but one nothing was compared, and confidence is 0.
    """

    def __init__(self, shape_yx: tuple[int, int], *, ordered: bool = False) -> None:
        nothing = np.full(shape_yx, -np.inf, np.float32)
        self._neighbour_weight = NEIGHBOUR_WEIGHT if ordered else 1.0
        self._count = 0
        self._position = np.zeros(shape_yx, np.int32)
        self._best = nothing.copy()
        self._before = np.full(shape_yx, np.nan, np.float32)
        self._after = np.full(shape_yx, np.nan, np.float32)
        self._previous: FloatMap | None = None
        self._valid_count = np.zeros(shape_yx, np.int32)
        # float64: the sum must come out the same, to float32, in any order of slices.
        self._rivals = np.zeros(shape_yx, np.float64)

    def add(self, scores: FloatMap, invalid: NDArray[np.bool_] | None = None) -> None:
        """Fold in the next slice.

        Parameters
        ----------
        scores : ndarray, (h, w), float32
            Higher is sharper; no NaN. Kept until the next slice, so not to be changed.
        invalid : ndarray, (h, w), bool, optional
            Pixels that must not be chosen, because the source is not finite there.
        """
        if invalid is not None:
            scores = np.where(invalid, np.float32(-np.inf), scores)
        k = self._count
        follows = (self._position == k - 1) & np.isfinite(self._best) if k else None
        # Strictly greater: on a tie the lower slice stays.
        wins = scores > self._best
        self._add_rivals(scores, wins)
        if follows is not None:
            self._after[follows] = scores[follows]
        if self._previous is not None:
            self._before[wins] = self._previous[wins]
        self._after[wins] = np.nan
        self._position[wins] = k
        self._best[wins] = scores[wins]
        self._previous = scores
        self._valid_count += np.isfinite(scores)
        self._count += 1

    def _add_rivals(self, scores: FloatMap, wins: NDArray[np.bool_]) -> None:
        """Update the sum of exp(score - best), rescaling it where the best changes."""
        best = np.where(wins, scores, self._best).astype(np.float64)
        known = np.isfinite(best)
        safe = np.where(known, best, 0.0)
        with np.errstate(over="ignore"):
            rescale = np.exp(np.where(known, self._best - safe, -np.inf))
            added = np.exp(np.where(known, scores - safe, -np.inf))
        self._rivals = self._rivals * rescale + added

    def finish(self) -> Selection:
        """Return the selection after the last slice."""
        before = np.where(np.isfinite(self._before), self._before, np.nan)
        after = np.where(np.isfinite(self._after), self._after, np.nan)
        return Selection(
            self._position,
            self._confidence(before, after),
            before.astype(np.float32),
            self._best,
            after.astype(np.float32),
        )

    def _confidence(self, before: FloatMap, after: FloatMap) -> FloatMap:
        others = (self._valid_count - 1).astype(np.float64)
        rivals = self._rivals - 1
        for neighbour in (before, after):
            known = np.isfinite(neighbour)
            lead = np.where(known, neighbour, -np.inf) - np.where(known, self._best, 0.0)
            rivals -= (1 - self._neighbour_weight) * np.exp(lead.astype(np.float64))
            others -= (1 - self._neighbour_weight) * known
        was_compared = others > 0
        confidence = 1 - rivals / np.where(was_compared, others, 1.0)
        return np.where(was_compared, np.clip(confidence, 0.0, 1.0), 0.0).astype(np.float32)


def refined_depth(
    selection: Selection, z_positions: NDArray[np.float64], kind: ScoreKind
) -> FloatMap:
    """Refine depth between slices from the scores of the chosen slice and its two neighbours.

    The log of a focus energy falls off like a parabola round its peak (Gaussian interpolation
    [1]_), a network's logits rather like a tent with equal slopes (equiangular fit [2]_),
    which cuts the error on smooth relief by 15 to 38 % against the parabola. For energies the
    tent is better on clean data but worse on noisy (``benchmarks/bench_quality.py``). Spacing may
    be uneven.

    Parameters
    ----------
    selection : Selection
        From `SliceSelector.finish`.
    z_positions : ndarray, (N,), float64
        Steadily rising or falling positions of the slices scored, in any unit.
    kind : ScoreKind
        What the scores are.

    Returns
    -------
    ndarray, (h, w), float32
        Depth in the unit of `z_positions`, at most half-way to a neighbouring slice; the slice's
        own position where a neighbour is missing or the three scores have no peak.

    References
    ----------
    .. [1] S. K. Nayar and Y. Nakagawa, "Shape from focus", IEEE TPAMI 16(8), 824-831, 1994.
    .. [2] M. Shimizu and M. Okutomi, "Sub-pixel estimation error cancellation on area-based
       matching", IJCV 63(3), 207-224, 2005 (parabola and equiangular fits compared).
    """
    k = selection.position
    last = len(z_positions) - 1
    z = z_positions[k]
    back = z_positions[np.maximum(k - 1, 0)] - z
    ahead = z_positions[np.minimum(k + 1, last)] - z
    drop_back = selection.best.astype(np.float64) - selection.before
    drop_ahead = selection.best.astype(np.float64) - selection.after
    vertex = _parabola_vertex if kind is ScoreKind.LOG_ENERGY else _tent_vertex
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = vertex(back, ahead, drop_back, drop_ahead)
    offset = np.where(np.isfinite(offset), offset, 0.0)
    limits = np.sort(np.stack([back, ahead]) / 2, axis=0)
    return (z + np.clip(offset, limits[0], limits[1])).astype(np.float32)


def _parabola_vertex(
    back: DoubleMap, ahead: DoubleMap, drop_back: DoubleMap, drop_ahead: DoubleMap
) -> DoubleMap:
    """Vertex of the parabola through (back, -drop_back), (0, 0) and (ahead, -drop_ahead)."""
    numerator = back**2 * drop_ahead - ahead**2 * drop_back
    return 0.5 * numerator / (back * drop_ahead - ahead * drop_back)


def _tent_vertex(
    back: DoubleMap, ahead: DoubleMap, drop_back: DoubleMap, drop_ahead: DoubleMap
) -> DoubleMap:
    """Top of the tent through the same points whose slopes are equal, that of the steeper side."""
    slope = np.maximum(drop_back / np.abs(back), drop_ahead / np.abs(ahead))
    return 0.5 * (
        np.sign(ahead) * (np.abs(ahead) - drop_ahead / slope)
        + np.sign(back) * (np.abs(back) - drop_back / slope)
    )


def gather(
    planes: NDArray[Any], position: NDArray[np.integer[Any]], slice_position: int, out: NDArray[Any]
) -> None:
    """Copy, bit for bit, the pixels that come from one slice.

    Parameters
    ----------
    planes : ndarray, (C, h, w)
        That slice, all channels.
    position : ndarray, (h, w)
        Chosen positions.
    slice_position : int
        Which slice `planes` is.
    out : ndarray, (C, h, w)
        Receives the pixels; same dtype as `planes`.
    """
    chosen = position == slice_position
    out[:, chosen] = planes[:, chosen]


def as_channels(planes: NDArray[Any]) -> NDArray[Any]:
    """Turn (C, h, w, S) into (C * S, h, w): in a result, colour samples are channels.

    Planes without samples, (C, h, w), are returned as they are.
    """
    if planes.ndim == 3:
        return planes
    c, h, w, s = planes.shape
    return planes.transpose(0, 3, 1, 2).reshape(c * s, h, w)
