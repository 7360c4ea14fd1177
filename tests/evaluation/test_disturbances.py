from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.evaluation.disturbances import (
    drifting,
    dusty,
    shuffled,
    with_distractors,
    with_shot_noise,
)
from napari_gmff.evaluation.scene import DISTRACTOR
from tests.evaluation.scenes_for_tests import striped_scene


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_shuffling_moves_slices_and_truth_together():
    scene = shuffled(striped_scene(8, 64), rng())
    assert scene.order != tuple(range(8))
    np.testing.assert_array_equal(scene.pixels_at(scene.index), scene.sharp)


@pytest.mark.parametrize("n_slices", [1, 2, 8])
def test_distractors_are_two_blurred_slices_and_two_copies(n_slices: int):
    plain = striped_scene(n_slices, 64)
    scene = with_distractors(plain, rng())
    assert len(scene.stack) == len(scene.order) == n_slices + 4
    assert scene.order.count(DISTRACTOR) == 2
    np.testing.assert_array_equal(scene.pixels_at(scene.index), scene.sharp)
    for plane, place in zip(scene.stack, scene.order, strict=True):
        if place == DISTRACTOR:
            assert plane.std() < 0.1 * plain.stack[0].std() + 1
        else:
            np.testing.assert_array_equal(plane, plain.stack[place])


def test_drift_shifts_every_slice_by_at_most_a_pixel():
    smooth = ndimage.gaussian_filter(np.random.default_rng(1).random((64, 64)), 3)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    plain = striped_scene(4, 64, stack=np.repeat(smooth[None].astype(np.uint8), 4, axis=0))
    scene = drifting(plain, rng())
    gradient_y, gradient_x = np.gradient(smooth)
    design = np.stack([gradient_y.ravel(), gradient_x.ravel()], axis=1)
    shifts = [
        np.linalg.lstsq(design, (smooth - plane).ravel(), rcond=None)[0] for plane in scene.stack
    ]
    assert np.abs(shifts).max() < 1.15
    assert np.abs(shifts).max() > 0.3
    assert np.std(shifts, axis=0).min() > 0.1


def test_dust_is_the_same_in_every_slice_and_in_the_truth():
    plain = striped_scene(2, 128, stack=np.full((2, 128, 128), 100, np.uint8))
    scene = dusty(plain, rng())
    assert (scene.stack[0] == scene.stack[1]).all()
    assert (scene.stack[0] < 95).any()
    assert (scene.stack[0] > 105).any()
    assert (scene.stack[0] == 100).mean() > 0.9
    bare = striped_scene(2, 128)
    soiled = dusty(bare, rng())
    np.testing.assert_allclose(soiled.pixels_at(soiled.index), soiled.sharp, atol=0.51)


def test_shot_noise_follows_the_photons_at_white():
    plain = striped_scene(2, 64, stack=np.full((2, 64, 64), 128, np.uint8))
    scene = with_shot_noise(plain, 300.0, rng())
    assert scene.stack.std() == pytest.approx(255 * np.sqrt(128 / 255 / 300), rel=0.05)
    assert scene.stack.dtype == np.uint8
