"""Colours of the focus map: one for each slice, told apart with any colour vision."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# CIELAB: from dark blue over magenta and orange to pale yellow. Lightness rises all the way, so
# that the order of the slices is seen without any hue.
_RAMP_LAB = np.array(
    [[22, 30, -62], [42, 62, -42], [58, 58, 8], [75, 28, 52], [93, -8, 42]], dtype=np.float64
)
_LIGHTNESS_LIMITS = (12.0, 97.0)

_NEIGHBOURS_APART = 10.0
"""Steps of lightness between neighbours; about 2 are seen where two areas meet."""


@lru_cache(maxsize=32)
def slice_colors(n_slices: int) -> NDArray[np.float64]:
    """Return one colour for each slice.

    Parameters
    ----------
    n_slices : int
        Number of colours, at least 1.

    Returns
    -------
    ndarray, (n, 4), float64
        RGBA from 0 to 1. Where a ramp alone would leave neighbours too much alike, every other
        one is darker.
    """
    from skimage.color import lab2rgb

    along = np.linspace(0, 1, n_slices)
    anchors = np.linspace(0, 1, len(_RAMP_LAB))
    lab = np.stack([np.interp(along, anchors, part) for part in _RAMP_LAB.T], axis=-1)
    gap = (_RAMP_LAB[-1, 0] - _RAMP_LAB[0, 0]) / max(n_slices - 1, 1)
    if gap < _NEIGHBOURS_APART:
        swing = (_NEIGHBOURS_APART + gap) / 2
        lab[:, 0] += np.where(np.arange(n_slices) % 2, swing, -swing)
    lab[:, 0] = np.clip(lab[:, 0], *_LIGHTNESS_LIMITS)
    colors = np.ones((n_slices, 4))
    colors[:, :3] = np.clip(lab2rgb(lab[np.newaxis])[0], 0, 1)
    colors.flags.writeable = False
    return colors
