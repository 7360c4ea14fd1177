from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.scenes import fluorescence_scene, relief_scene


def test_scenes_repeat_bit_for_bit_and_differ_by_seed():
    one, same, other = (relief_scene(64, 4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.stack, same.stack)
    assert (one.stack != other.stack).any()


@pytest.mark.parametrize("make", [relief_scene, fluorescence_scene])
def test_scene_has_the_shape_and_type_of_a_camera_stack(make):
    scene = make(64, 5)
    assert scene.stack.shape == (5, 64, 64)
    assert scene.stack.dtype == np.uint16
    assert scene.depth_slices.min() >= 0
    assert scene.depth_slices.max() <= 4
    assert scene.index.max() <= 4
    assert scene.textured.any()


def test_relief_is_sharp_where_its_depth_is_the_slice():
    scene = relief_scene(128, 6, photons=np.inf)
    in_focus = np.abs(scene.depth_slices - scene.index) < 0.05
    taken = np.take_along_axis(scene.stack, scene.index[None], 0)[0]
    away = np.take_along_axis(scene.stack, (scene.index[None] + 3) % 6, 0)[0]
    error = np.abs(taken - scene.sharp)[in_focus].mean()
    assert error < 0.1 * np.abs(away - scene.sharp)[in_focus].mean()


def test_relief_uses_all_slices_and_its_step_is_one():
    smooth, stepped = (relief_scene(128, 8, step=step).depth_slices for step in (False, True))
    assert smooth.min() == stepped.min() == 0
    assert smooth.max() == stepped.max() == 7
    jumps = [np.abs(np.diff(depth, axis=1)).max() for depth in (smooth, stepped)]
    assert jumps[1] > 1 > 3 * jumps[0]


def test_photons_set_the_noise():
    clean = relief_scene(128, 3, photons=np.inf).stack.astype(float)
    for photons in (100, 10_000):
        noise = relief_scene(128, 3, photons=photons).stack - clean
        expected = 40_000 * np.sqrt((clean / 40_000).mean() / photons)
        assert noise.std() == pytest.approx(expected, rel=0.1)


def test_gain_dims_a_fluorescence_scene():
    bright, dim = (fluorescence_scene(64, 3, gain=gain).stack.max() for gain in (1.0, 0.1))
    assert dim == pytest.approx(0.1 * bright, rel=0.02)
