from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.metrics import auroc, fraction_within, psnr_db, ssim


def test_psnr_of_a_known_error():
    truth = np.full((4, 4), 100, np.uint8)
    image = truth + np.array([[10, 0], [0, 10]], np.uint8).repeat(2, 0).repeat(2, 1)
    assert psnr_db(image, truth, 255) == pytest.approx(10 * np.log10(255**2 / 50))


def test_psnr_does_not_wrap_in_unsigned_types():
    dark, bright = np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)
    assert psnr_db(dark, bright, 255) == pytest.approx(0.0)


def test_psnr_of_equal_images_is_infinite():
    assert psnr_db(np.ones((2, 2)), np.ones((2, 2)), 1) == np.inf


def test_fraction_within_counts_only_where_asked_and_does_not_wrap():
    index = np.array([0, 1, 2, 9], np.uint8)
    truth = np.array([1, 1, 0, 0], np.uint8)
    where = np.array([True, True, True, False])
    assert fraction_within(index, truth, where, 0) == pytest.approx(1 / 3)
    assert fraction_within(index, truth, where, 1) == pytest.approx(2 / 3)


def test_auroc_counts_pairs_in_the_right_order():
    score = np.array([0.1, 0.4, 0.4, 0.8])
    positive = np.array([False, False, True, True])
    # Of four pairs three are in order and one is a tie, which counts half.
    assert auroc(score, positive) == pytest.approx(3.5 / 4)
    assert auroc(-score, positive) == pytest.approx(0.5 / 4)


def test_auroc_of_one_kind_of_answer_is_unknown():
    assert np.isnan(auroc(np.arange(3.0), np.ones(3, bool)))


def test_ssim_is_one_for_equal_images_and_falls_with_blur():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50)).astype(np.uint8)
    soft = ndimage.gaussian_filter(image, 1.0)
    assert ssim(image, image, 255) == pytest.approx(1)
    assert 0 < ssim(soft, image, 255) < 0.9


def test_ssim_counts_only_where_asked():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (40, 60)).astype(np.uint8)
    image = truth.copy()
    image[:, 40:] = 0
    left = np.zeros(truth.shape, bool)
    left[:, :30] = True
    assert ssim(image, truth, 255, left) == pytest.approx(1)
    assert ssim(image, truth, 255) < 0.9
    assert np.isnan(ssim(image, truth, 255, np.zeros_like(left)))
