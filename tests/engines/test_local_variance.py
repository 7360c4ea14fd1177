from __future__ import annotations

import numpy as np

from napari_gmff.engines.local_variance import LocalVariance
from napari_gmff.engines.windowed import ENERGY_FLOOR, WINDOW_REACH_PX, WINDOW_SIGMA_PX
from tests.engines.classical import noise, scores_of


def test_scores_equal_the_weighted_variance_of_a_window():
    plane = noise(60, 70)
    offset = np.arange(-WINDOW_REACH_PX, WINDOW_REACH_PX + 1)
    line = np.exp(-(offset**2) / (2 * WINDOW_SIGMA_PX**2))
    weights = np.outer(line, line) / line.sum() ** 2
    found = scores_of(LocalVariance(), plane[None])[0]
    for y, x in ((20, 20), (30, 45), (47, 57)):
        window = plane[y - 12 : y + 13, x - 12 : x + 13].astype(np.float64)
        mean = (weights * window).sum()
        variance = (weights * (window - mean) ** 2).sum()
        np.testing.assert_allclose(found[y, x], np.log(variance + ENERGY_FLOOR), atol=1e-5)


def test_a_bright_flat_slice_has_no_variance_but_rounding():
    flat = np.full((1, 30, 30), 0.9, np.float32)
    faint = flat + 1e-4 * noise(1, 30, 30)
    assert (scores_of(LocalVariance(), flat) < scores_of(LocalVariance(), faint) - 5).all()
