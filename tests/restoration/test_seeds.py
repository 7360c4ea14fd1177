"""Mean and spread of several restorations."""

from __future__ import annotations

import numpy as np

from napari_gmff.restoration.seeds import SeedSpread


def test_mean_and_deviation_are_those_of_all_that_was_added():
    values = np.random.default_rng(0).normal(1e6, 1e-2, (6, 2, 5, 4))
    spread = SeedSpread()
    for one in values:
        spread.add(one)
    np.testing.assert_allclose(spread.mean, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(spread.deviation, values.std(axis=0, ddof=1), rtol=1e-4)


def test_equal_restorations_have_no_spread():
    spread = SeedSpread()
    one = np.random.default_rng(0).random((3, 4))
    for _ in range(5):
        spread.add(one)
    np.testing.assert_array_equal(spread.mean, one)
    assert not spread.deviation.any()
