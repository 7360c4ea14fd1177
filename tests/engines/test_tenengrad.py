from __future__ import annotations

import numpy as np
from skimage.filters import gaussian, sobel_h, sobel_v

from napari_gmff.engines.tenengrad import Tenengrad
from napari_gmff.engines.windowed import ENERGY_FLOOR, WINDOW_SIGMA_PX
from tests.engines.classical import noise, scores_of


def test_scores_equal_a_brute_force_reference():
    plane = noise(40, 50).astype(np.float64)
    # scikit-image divides its kernel by 4, we by 8, so that a ramp of one has a gradient of one.
    padded = np.pad(plane, 1, mode="symmetric")
    energy = ((sobel_h(padded) / 2) ** 2 + (sobel_v(padded) / 2) ** 2)[1:-1, 1:-1]
    expected = np.log(
        gaussian(energy, WINDOW_SIGMA_PX, mode="reflect", truncate=4.0) + ENERGY_FLOOR
    )
    found = scores_of(Tenengrad(), plane[None].astype(np.float32))[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_energy_of_a_ramp_is_its_slope_squared():
    ramp = np.tile(np.arange(80, dtype=np.float32) * 0.01, (60, 1))
    middle = scores_of(Tenengrad(), ramp[None])[0, 20:40, 20:60]
    np.testing.assert_allclose(middle, np.log(0.01**2), atol=1e-4)
