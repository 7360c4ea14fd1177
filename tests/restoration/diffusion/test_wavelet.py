from __future__ import annotations

import numpy as np

from napari_gmff.restoration.diffusion.wavelet import with_low_band_of
from tests.restoration.diffusion.helpers import random_image


def test_an_image_with_its_own_low_band_stays_the_same():
    image = random_image(40, 56)
    np.testing.assert_array_equal(with_low_band_of(image, image), image)


def test_brightness_comes_from_the_source():
    image = random_image(40, 56)
    shifted = with_low_band_of(image, image + np.float32(0.25))
    np.testing.assert_allclose(shifted, image + 0.25, atol=1e-6)


def test_periods_far_above_70_px_come_from_the_source_and_fine_ones_do_not():
    x = np.arange(512, dtype=np.float32)

    def wave(period_px: float) -> np.ndarray:
        return np.broadcast_to(np.sin(2 * np.pi * x / period_px), (3, 64, 512)).astype(np.float32)

    flat = np.zeros((3, 64, 512), np.float32)

    def share(period_px: float) -> float:
        taken = with_low_band_of(flat, wave(period_px))[:, :, 128:384]
        return float(np.abs(taken).max())

    assert share(256) > 0.9
    assert share(16) < 0.01
    assert 0.3 < share(70) < 0.7


def test_an_image_smaller_than_the_filter_is_no_problem():
    image = random_image(3, 1)
    assert np.isfinite(with_low_band_of(image, image[:, ::-1])).all()
