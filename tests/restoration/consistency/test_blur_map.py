"""The blur of slices is measured against the fused image, and what is left in that follows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.restoration.consistency.blur_ladder import RUNGS_PX, BlurLadder
from napari_gmff.restoration.consistency.blur_map import iter_blur_map
from napari_gmff.restoration.consistency.cells import CELL_PX, at_pixels, cell_means, filled
from napari_gmff.restoration.consistency.defocus import remaining_blur
from napari_gmff.steps import outcome_of
from napari_gmff.windows import Box

NOISE = 0.01


def texture(shape=(160, 200), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.random(shape), 0.6).astype(np.float32)


def blur_of(sharp: np.ndarray, slices: list[np.ndarray], z=None):
    def read(position: int, box: Box) -> np.ndarray:
        return slices[position][box.slices]

    return outcome_of(iter_blur_map(sharp, read, len(slices), z, NOISE))


@pytest.mark.parametrize("sigma_px", [0.0, 0.7, 1.5, 3.0])
def test_the_blur_of_a_slice_is_found(sigma_px: float):
    sharp = texture()
    found = blur_of(sharp, [sharp, ndimage.gaussian_filter(sharp, sigma_px)])
    np.testing.assert_allclose(np.sqrt(found.variance_px2[1]), sigma_px, atol=0.15 + 0.1 * sigma_px)
    np.testing.assert_allclose(found.variance_px2[0], 0, atol=0.05)


def test_a_difference_in_brightness_is_no_blur():
    sharp = texture()
    found = blur_of(sharp, [ndimage.gaussian_filter(sharp, 1.5) + 3])
    np.testing.assert_allclose(np.sqrt(found.variance_px2[0]), 1.5, atol=0.2)


def test_where_there_is_no_texture_blur_is_that_of_the_surroundings():
    sharp = texture()
    sharp[48:112, 60:140] = sharp.mean()
    blurred = ndimage.gaussian_filter(sharp, 2.0)
    found = blur_of(sharp, [blurred])
    np.testing.assert_allclose(np.sqrt(found.variance_px2[0][5, 6]), 2.0, atol=0.4)


def test_a_large_image_is_measured_in_windows_without_seams():
    sharp = texture((560, 540))
    found = blur_of(sharp, [ndimage.gaussian_filter(sharp, 1.5)])
    np.testing.assert_allclose(np.sqrt(found.variance_px2[0]), 1.5, atol=0.2)


def test_in_a_gap_the_blur_that_is_left_follows_from_that_of_the_other_slices():
    growth = 0.8
    sharp, z = texture(), np.array([0.0, 1, 2, 6, 7, 8])
    slices = [ndimage.gaussian_filter(sharp, growth * abs(one - 4)) for one in z]
    fused = slices[2]
    found = blur_of(fused, slices, z)
    np.testing.assert_allclose(np.sqrt(found.remaining_px2), 2 * growth, atol=0.5)


def test_without_order_or_with_too_few_slices_no_blur_is_left():
    variance = np.ones((6, 4, 5))
    known = np.ones(variance.shape, bool)
    assert not remaining_blur(variance, known, None).any()
    assert not remaining_blur(variance[:2], known[:2], np.arange(2.0)).any()
    assert not remaining_blur(variance, known, np.zeros(6)).any()


@pytest.mark.parametrize(
    ("focus", "left"), [(2.5, 0.25), (3.0, 0.0), (6.0, 1.0), (6.8, 3.24), (9.0, 4.0)]
)
def test_a_focus_between_slices_or_up_to_two_steps_beyond_is_found(focus: float, left: float):
    z, growth = np.arange(6.0), 0.2
    variance = np.tile((growth * (z - focus) ** 2)[:, None, None], (1, 4, 5))
    found = remaining_blur(variance, np.ones(variance.shape, bool), z)
    np.testing.assert_allclose(found, growth * left, rtol=0.05, atol=1e-6)


def test_shares_of_slices_add_up_to_one_everywhere():
    sharp = texture()
    found = blur_of(sharp, [sharp] + [ndimage.gaussian_filter(sharp, s) for s in (1, 2, 4)])
    box = Box(0, 160, 0, 200)
    shares = [found.share(position, box) for position in range(4)]
    total = sum(share for share in shares if share is not None)
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert shares[3] is None
    assert shares[0].mean() > shares[1].mean()


def test_blur_between_rungs_is_close_to_the_true_one():
    image = texture()
    ladder = BlurLadder(image)
    for sigma in (0.6, 1.0, 2.2, 5.0):
        found = ladder.at(np.full(image.shape, sigma**2, np.float32))
        true = ndimage.gaussian_filter(image, sigma)
        off = np.abs(found - true).max()
        assert off < 0.15 * np.abs(image - true).max(), sigma
    widest = ladder.at(np.full(image.shape, 1e3, np.float32))
    np.testing.assert_allclose(widest, ladder.rung(len(RUNGS_PX) - 1), rtol=1e-6)


def test_no_blur_gives_the_image_bit_for_bit():
    image = texture()
    np.testing.assert_array_equal(BlurLadder(image).at(np.zeros(image.shape, np.float32)), image)


def test_cells_at_the_border_average_the_pixels_they_have():
    pixels = np.arange(20 * 35, dtype=np.float32).reshape(20, 35)
    cells = cell_means(pixels)
    assert cells.shape == (2, 3)
    assert cells[1, 2] == pixels[16:, 32:].mean()


def test_cells_become_pixels_again_in_any_box():
    cells = np.add.outer(np.arange(4.0), 10 * np.arange(5.0))
    whole = at_pixels(cells, Box(0, 64, 0, 80))
    assert whole[8:40, 8:60].min() >= 0
    np.testing.assert_allclose(
        whole[CELL_PX * 2 + 7 : CELL_PX * 2 + 9, 39:41].mean(), 22, atol=0.05
    )
    np.testing.assert_allclose(at_pixels(cells, Box(10, 30, 20, 50)), whole[10:30, 20:50])


def test_cells_that_are_not_known_take_from_those_around():
    cells = np.full((9, 9), 2.0)
    cells[4, 4] = np.inf
    known = np.isfinite(cells)
    np.testing.assert_allclose(filled(np.where(known, cells, 99), known), 2.0)
    assert not filled(cells, np.zeros((9, 9), bool)).any()
