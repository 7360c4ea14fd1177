from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.engines.swt import Swt, forward_swt, swt_reach_px
from tests.engines.classical import noise


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 7), (40, 41)])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_bands_have_the_size_of_the_image_whatever_it_is(shape, levels):
    bands = forward_swt(noise(*shape), levels)
    assert len(bands.details) == levels
    assert {band.shape for level in bands.details for band in level} == {shape}
    assert bands.approximation.shape == shape


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_coefficient_looks_exactly_as_far_as_is_said(levels):
    point = np.zeros((121, 121), np.float32)
    point[60, 60] = 1
    bands = forward_swt(point, levels)
    seen = sum(np.abs(band) for level in bands.details for band in level)
    rows = np.flatnonzero((seen > 1e-6).any(1)) - 60
    assert max(-rows.min(), rows.max()) <= swt_reach_px(levels)
    assert max(-rows.min(), rows.max()) > swt_reach_px(levels - 1)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (61, 50)])
@pytest.mark.parametrize("levels", [1, 3])
def test_there_and_back_is_the_image_up_to_its_border(shape, levels):
    plane, swt = noise(*shape), Swt(shape, levels)
    np.testing.assert_allclose(swt.inverse(swt.forward(plane)), plane, atol=2e-6)
