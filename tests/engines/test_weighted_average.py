from __future__ import annotations

import numpy as np

from napari_gmff.engines.weighted_average import WeightedAverage
from tests.engines.blends import ArraySource, blended
from tests.engines.classical import noise


def test_the_result_lies_between_the_slices():
    stack = 100 * noise(4, 60, 60)
    found = blended(WeightedAverage(), ArraySource(stack))[0]
    assert (found >= stack.min(0) - 1e-3).all()
    assert (found <= stack.max(0) + 1e-3).all()
    assert np.abs(found - stack.mean(0)).mean() > 1, "not just the plain mean"


def test_slices_of_equal_contrast_count_alike():
    plane = noise(60, 60)
    found = blended(WeightedAverage(), ArraySource(np.stack([plane, plane + 4])))
    np.testing.assert_allclose(found[0], plane + 2, atol=0.01)


def test_noise_of_equally_sharp_slices_is_averaged_away():
    rng = np.random.default_rng(1)
    texture = 100 * noise(80, 80)
    stack = texture + 5 * rng.standard_normal((6, 80, 80))
    found = blended(WeightedAverage(), ArraySource(stack))[0]
    assert np.std(found - texture) < 0.6 * np.std(stack[0] - texture)
