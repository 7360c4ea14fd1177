from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.blur import BlurLadder
from napari_gmff.training.synthesis.thin_lens import thin_lens_stack

SIDE = 81
BACKGROUND = ndimage.gaussian_filter(
    np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32), 1.5
)
FOREGROUND = ndimage.gaussian_filter(
    np.random.default_rng(1).random((SIDE, SIDE)).astype(np.float32), 1.5
)
HALF = np.zeros((SIDE, SIDE), np.float32)
HALF[:, : SIDE // 2] = 1
"""Opacity of a foreground that covers the left half."""


def two_planes(depths=(0.0, 3.0), blur_px_per_slice=2.0, n_samples=64):
    return thin_lens_stack(
        [BACKGROUND, FOREGROUND],
        [np.ones_like(HALF), HALF],
        depths,
        4,
        blur_px_per_slice,
        n_samples=n_samples,
    )


def disk_blurred(image: np.ndarray, radius_px: float) -> np.ndarray:
    return BlurLadder(image, radius_px, "disk").at(radius_px)


def test_background_does_not_bleed_around_a_focused_edge():
    in_front = two_planes().stack[3]
    assert np.allclose(in_front[:, : SIDE // 2], FOREGROUND[:, : SIDE // 2], atol=1e-5)
    # Behind the edge the background is blurred alone, unmixed with what the edge hides of it.
    expected = disk_blurred(BACKGROUND, 6.0)
    inner = (slice(8, -8), slice(SIDE // 2, -8))
    assert np.abs(in_front[inner] - expected[inner]).max() < 0.02


def test_a_defocused_edge_veils_the_focused_background():
    behind = two_planes().stack[0]
    veil = disk_blurred(HALF, 6.0)
    expected = BACKGROUND * (1 - veil) + disk_blurred(FOREGROUND * HALF, 6.0)
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(behind[inner] - expected[inner]).max() < 0.04
    # Six pixels beside the edge the foreground's light has ended.
    assert np.allclose(behind[:, SIDE // 2 + 8 :], BACKGROUND[:, SIDE // 2 + 8 :], atol=1e-3)


@pytest.mark.parametrize("radius_px", [0.6, 1.8, 2.6, 7.0, 14.0])
def test_a_single_plane_is_blurred_by_a_disk(radius_px):
    made = thin_lens_stack([BACKGROUND], [HALF], [0.0], 2, radius_px, n_samples=48)
    expected = disk_blurred(BACKGROUND, radius_px)
    assert np.array_equal(made.stack[0], BACKGROUND)
    assert np.abs(made.stack[1] - expected).max() < 0.12 * BACKGROUND.std()


def test_a_defocused_image_does_not_move():
    spot = np.zeros((SIDE, SIDE), np.float32)
    spot[40, 40] = 1
    blurred = thin_lens_stack([spot], [HALF], [0.0], 2, 7.0).stack[1]
    assert ndimage.center_of_mass(blurred) == pytest.approx((40, 40), abs=0.15)
    assert blurred.sum() == pytest.approx(1, rel=1e-3)


def test_an_even_scene_stays_even():
    grey = np.full((30, 30), 0.4)
    hole = np.clip(np.random.default_rng(2).random((30, 30)), 0, 1)
    made = thin_lens_stack([grey, grey, grey], [hole, hole, hole], [0, 1, 2], 3, 3.0)
    assert np.allclose(made.stack, 0.4, atol=1e-5)


@pytest.mark.parametrize("depths", [(0.0, 3.0), (3.0, 0.0)])
def test_truth_is_that_of_the_plane_in_front(depths):
    made = two_planes(depths)
    assert (made.depth[:, : SIDE // 2] == depths[1]).all()
    assert (made.depth[:, SIDE // 2 :] == depths[0]).all()
    assert np.array_equal(made.sharp[:, : SIDE // 2], FOREGROUND[:, : SIDE // 2])
    assert np.array_equal(made.sharp[:, SIDE // 2 :], BACKGROUND[:, SIDE // 2 :])
    chosen = np.take_along_axis(made.stack, made.index[None], 0)[0]
    # Only the veiled background beside the edge cannot be had sharp.
    assert np.allclose(chosen[:, : SIDE // 2], made.sharp[:, : SIDE // 2], atol=1e-5)


def test_two_half_covers_in_one_place_hide_more_than_each_alone():
    cover = np.full((20, 20), 0.5)
    made = thin_lens_stack(
        [np.ones((20, 20)), np.zeros((20, 20)), np.zeros((20, 20))],
        [cover] * 3, [0, 1, 2], 3, 1.0,
    )  # fmt: skip
    assert np.allclose(made.stack, 0.25, atol=1e-5)


def test_a_margin_gives_the_same_pixels_as_cropping():
    inner = (slice(20, -20), slice(20, -20))
    whole = two_planes()
    framed = thin_lens_stack(
        [BACKGROUND, FOREGROUND], [HALF, HALF], [0, 3], 4, 2.0, n_samples=64, margin_px=20
    )
    assert np.allclose(framed.stack, whole.stack[:, *inner], atol=1e-5)
    assert np.array_equal(framed.depth, whole.depth[inner])


@pytest.mark.parametrize(
    ("depths", "message"),
    [
        ([0.0, 5.0], r"depths\[1\] must be a finite number, 0 to 3, got 5.0"),
        ([0.0], "must have the same number of planes, at least 1, got 2, 2 and 1"),
    ],
)
def test_depths_that_do_not_fit_are_refused(depths, message):
    with pytest.raises(ParameterError, match=message):
        two_planes(depths)


def test_depths_in_no_order_are_refused():
    grey = [np.zeros((5, 5))] * 3
    with pytest.raises(ParameterError, match=r"depths must rise or fall, got \[0, 2, 1\]"):
        thin_lens_stack(grey, grey, [0, 2, 1], 3, 1.0)
