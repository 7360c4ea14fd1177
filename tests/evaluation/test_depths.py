from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.evaluation.depths import KINDS, depth_map, filled


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_depth_maps_span_the_range_and_repeat(number: int):
    one, same, other = (depth_map(number, (60, 90), np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.shape == (60, 90)
    assert (one.min(), one.max()) == (0, 1)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_gaps_of_a_disparity_map_take_the_nearest_value():
    depth = filled(np.array([[np.inf, 2.0, 6.0], [np.nan, 2.0, 4.0]], np.float32))
    np.testing.assert_array_equal(depth, [[0, 0, 1], [0, 0, 0.5]])
