from __future__ import annotations

import numpy as np
import pywt
from scipy import ndimage

from napari_gmff.engines.wavelet import WaveletEnergy
from napari_gmff.engines.windowed import ENERGY_FLOOR, WINDOW_SIGMA_PX
from tests.engines.classical import noise, scores_of


def test_scores_equal_those_of_a_transform_that_wraps_round_far_from_the_border():
    plane = noise(96, 128)
    levels = pywt.swt2(plane, "db2", 2, trim_approx=True, norm=True)[1:]
    energy = sum(band**2 for level in levels for band in level)
    expected = np.log(ndimage.gaussian_filter(energy, WINDOW_SIGMA_PX) + ENERGY_FLOOR)
    found = scores_of(WaveletEnergy(), plane[None])[0]
    inside = (slice(24, -24), slice(24, -24))
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-4)


def test_the_measure_moves_with_the_image():
    plane = noise(80, 90)
    whole = scores_of(WaveletEnergy(), plane[None])[0]
    moved = scores_of(WaveletEnergy(), plane[None, 1:, 3:])[0]
    np.testing.assert_array_equal(moved[30:-30, 30:-30], whole[31:-30, 33:-30])
