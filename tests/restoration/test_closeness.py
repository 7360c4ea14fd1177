"""How close an image is to what is taken for the truth."""

from __future__ import annotations

import math

import numpy as np

from napari_gmff.restoration.closeness import closeness


def scene(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1000, (2, 40, 50)).astype(np.float32)


def test_only_the_area_counts():
    truth, area = scene(), np.zeros((40, 50), bool)
    area[10:20, 10:20] = True
    outside = np.where(area, truth, 0)
    assert closeness(outside, truth, area).psnr_db == math.inf
    assert closeness(outside, truth, ~area).psnr_db < 10


def test_each_channel_is_judged_in_its_own_range():
    truth = scene()
    truth[1] *= 1000
    off = np.where(np.arange(2)[:, None, None] == 0, 100.0, 100_000.0)
    both = closeness(truth + off, truth, np.ones((40, 50), bool))
    np.testing.assert_allclose(both.psnr_db, 20, atol=0.1)


def test_equal_images_are_as_close_as_can_be():
    found = closeness(scene(), scene(), np.ones((40, 50), bool))
    assert found.psnr_db == math.inf and found.ssim == 1


def test_gaps_do_not_count():
    truth = scene()
    image = truth.copy()
    image[0, 5, 5] = np.nan
    truth[1, 6, 6] = np.inf
    found = closeness(image, truth, np.ones((40, 50), bool))
    assert found.psnr_db == math.inf


def test_an_empty_area_has_no_closeness():
    assert closeness(scene(), scene(), np.zeros((40, 50), bool)) is None


def test_an_image_too_small_for_ssim_has_none():
    truth = scene()[:, :8, :8]
    found = closeness(truth + 1, truth, np.ones((8, 8), bool))
    assert math.isnan(found.ssim) and math.isfinite(found.psnr_db)
