"""Which part of the slices the objects of a scene lie in, and the depth of what lies between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.synthetic_stack import BoolImage, FloatImage


def random_depth_range(
    rng: np.random.Generator, n_slices: int, *, flat: float = 0.15, narrow: float = 0.25
) -> tuple[float, float]:
    """Draw the nearest and farthest depth of a scene's objects.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides.
    n_slices : int
        One or more.
    flat : float
        Share of scenes whose objects all lie at one depth.
    narrow : float
        Share of scenes that take up no more than a third of the slices.

    Returns
    -------
    low, high : float
        In slices, 0 to N - 1; equal for a flat scene. Half of them are whole numbers.
    """
    last = n_slices - 1
    draw = rng.random()
    if draw < flat:
        # The best plane often lies near an end: whoever took the stack stopped early.
        low = high = last * float(np.clip(rng.uniform(-0.1, 1.1), 0, 1))
    else:
        share = rng.uniform(0.05, 1 / 3) if draw < flat + narrow else rng.uniform(1 / 3, 1.3)
        extent = last * min(share, 1.0)
        low = rng.uniform(0, last - extent)
        high = low + extent
    if rng.random() < 0.5:
        low, high = float(np.rint(low)), float(np.rint(high))
    return low, high


def filled_from_nearest(depth: FloatImage, known: BoolImage) -> FloatImage:
    """Return depths (Y, X) in which unknown pixels have that of the nearest known one."""
    if known.all() or not known.any() or depth.min() == depth.max():
        return depth
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(depth[tuple(nearest)])


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is evenly spread."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
