from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.laplacian_pyramid import LaplacianPyramid, decomposed, levels_within
from tests.engines.blends import ArraySource, blended
from tests.engines.classical import noise


def test_bands_add_up_to_the_image():
    plane = noise(50, 61)
    details, rest = decomposed(plane, 4)
    assert len(details) == 4
    np.testing.assert_allclose(sum(details) + rest, plane, atol=1e-6)


def test_each_band_is_a_difference_of_smoothings_twice_as_wide():
    plane = noise(200, 220)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    details, _ = decomposed(plane, 3)
    smooth = plane.astype(np.float64)
    for level in range(3):
        spread = np.zeros(4 * 2**level + 1)
        spread[:: 2**level] = kernel
        smoother = smooth
        for axis in (0, 1):
            smoother = ndimage.correlate1d(smoother, spread, axis, mode="reflect")
        np.testing.assert_allclose(details[level], smooth - smoother, atol=1e-6)
        smooth = smoother


@pytest.mark.parametrize(("halo_px", "levels"), [(0, 1), (8, 2), (32, 4), (64, 5), (128, 6)])
def test_there_are_as_many_bands_as_the_halo_allows(halo_px, levels):
    assert levels_within(halo_px) == levels
    described = LaplacianPyramid(EngineOptions(halo_px=halo_px)).describe()
    assert described["levels"] == levels


def test_fine_and_coarse_structures_of_one_place_come_from_different_slices():
    y, x = np.mgrid[:128, :128]
    fine = 100 * np.sin(2 * np.pi * x / 4)
    coarse = 100 * np.sin(2 * np.pi * y / 24)
    found = blended(LaplacianPyramid(), ArraySource(np.stack([500 + fine, 500 + coarse])))
    both = (500 + fine + coarse)[30:-30, 30:-30]
    assert np.corrcoef(found[0, 30:-30, 30:-30].ravel(), both.ravel())[0, 1] > 0.99
