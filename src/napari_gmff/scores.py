"""What focus engines hand over: per-slice scores, and what kind of number they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_gmff.windows import Box

ReadSlice = Callable[[int], NDArray[np.float32]]
"""Returns slice k of a window as the engine sees it: (h, w) float32, no NaN."""


class ScoreKind(StrEnum):
    """Meaning of a score; decides how scores become depth.

    Both are logarithmic: softmax over slices of logits is the network's probability, that of
    log-energies each slice's share of the focus energy.
    """

    LOGITS = "logits"
    LOG_ENERGY = "log-energy"


@dataclass(frozen=True)
class TileScores:
    """Scores of one slice in one tile of a window.

    Attributes
    ----------
    slice_index : int
        Which slice of the window, 0-based.
    tile : Box
        Where, in window pixels.
    scores : ndarray, (h, w), float32
        Focus scores; higher is sharper. Owned by the receiver.
    """

    slice_index: int
    tile: Box
    scores: NDArray[np.float32]
