"""Colours of the focus map: one for each slice, told apart with any colour vision."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from napari.utils import Colormap

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


def slice_colormap(n_slices: int) -> Colormap:
    """Make a colormap with one flat colour for each slice.

    Parameters
    ----------
    n_slices : int
        Number of colours, from the first slice to the last; at least 1.

    Returns
    -------
    napari.utils.Colormap
        ``colors`` is (n, 4), RGBA from 0 to 1. With the contrast limits of `slice_limits` each
        slice number has the colour of its bin.
    """
    colors = slice_colors(n_slices)
    if n_slices == 1:
        colors = np.repeat(colors, 2, axis=0)  # the shader wants two bins at least
    return Colormap(colors, name=f"{n_slices} slices", interpolation="zero")


def slice_limits(first: int, last: int) -> tuple[float, float]:
    """Return the contrast limits that put every slice number into the middle of its bin.

    Parameters
    ----------
    first, last : int
        Lowest and highest slice number in the map.
    """
    return first - 0.5, last + 0.5


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
