from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.evaluation.scene import DISTRACTOR, photographed
from tests.evaluation.scenes_for_tests import striped_scene


def test_the_true_index_copies_the_sharp_image():
    scene = striped_scene()
    np.testing.assert_array_equal(scene.pixels_at(scene.index), scene.sharp)


def test_a_shuffled_stack_has_the_same_truth_under_other_numbers():
    plain = striped_scene()
    order = (2, 0, 3, 1)
    scene = striped_scene(stack=plain.stack[list(order)], order=order)
    assert not scene.is_ordered
    np.testing.assert_array_equal(scene.pixels_at(scene.index), plain.sharp)
    assert scene.slices_off(scene.index).max() == 0
    # Slice 0 of the shuffled stack is place 2.
    off = scene.slices_off(np.zeros(scene.depth.shape, np.uint8))
    np.testing.assert_array_equal(off[:, 0], np.repeat([2, 1, 0, 1], 8))


def test_a_copy_of_the_right_slice_is_right_and_a_distractor_never_is():
    plain = striped_scene()
    stack = np.concatenate([plain.stack, plain.stack[:1], plain.stack[:1]])
    scene = striped_scene(stack=stack, order=(0, 1, 2, 3, 0, DISTRACTOR))
    index = np.full(scene.depth.shape, 4)
    assert (scene.slices_off(index)[:8] == 0).all()
    assert np.isinf(scene.slices_off(index + 1)).all()
    assert scene.index.max() == 3


def test_positions_are_told_only_where_slices_are_in_order():
    assert striped_scene().as_stack("a").voxel_size_um[0] == 1.0
    assert striped_scene(order=(3, 2, 1, 0)).as_stack("a").voxel_size_um[0] is None


def test_depth_between_slices_belongs_to_the_nearest():
    scene = striped_scene(depth=np.full((32, 32), 1.6, np.float32))
    assert (scene.index == 2).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_photograph_clips_and_rounds(dtype: type):
    light = np.array([[-0.1, 0.5], [1.0, 900.0]])
    seen = photographed(light, 200, dtype)
    assert seen.dtype == dtype
    assert seen.tolist() == [[0, 100], [200, np.iinfo(dtype).max]]


def test_photons_and_read_noise_set_the_noise():
    light = np.full((1, 200, 200), 0.5)
    shot = photographed(light, 10_000, np.uint16, np.random.default_rng(1), photons=400)
    read = photographed(light, 10_000, np.uint16, np.random.default_rng(1), read_noise=0.02)
    assert shot.std() == pytest.approx(10_000 * np.sqrt(0.5 / 400), rel=0.03)
    assert read.std() == pytest.approx(200, rel=0.03)
