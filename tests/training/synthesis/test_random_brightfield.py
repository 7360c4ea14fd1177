import numpy as np
import pytest

from napari_gmff.training.synthesis.random_brightfield import random_brightfield, random_microscope
from tests.training.synthesis.test_brightfield import Stripes


@pytest.mark.parametrize("n_slices", [1, 2, 9])
@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (64, 48)])
def test_random_stacks_of_any_size_are_whole(n_slices, shape):
    for seed in range(6):
        scene = random_brightfield(np.random.default_rng(seed), n_slices, shape, Stripes())
        assert scene.stack.shape == (n_slices, *shape)
        assert scene.stack.dtype == np.float32
        assert np.isfinite(scene.stack).all()
        assert scene.stack.min() >= 0
        assert scene.stack.max() < 2
        assert 0 <= scene.depth.min() <= scene.depth.max() <= n_slices - 1
        assert not (scene.texture & ~scene.known).any()
        assert scene.kind == "brightfield"


def test_the_same_seed_gives_the_same_stack():
    first, again = (
        random_brightfield(np.random.default_rng(7), 4, (40, 40), Stripes()) for _ in range(2)
    )
    np.testing.assert_array_equal(first.stack, again.stack)
    np.testing.assert_array_equal(first.depth, again.depth)


def test_random_scenes_are_flat_often_and_deep_often():
    extents = np.array(
        [
            np.ptp(random_brightfield(np.random.default_rng(seed), 6, (64, 64), Stripes()).depth)
            for seed in range(40)
        ]
    )
    assert 0.2 < (extents < 0.01).mean() < 0.8
    assert (extents > 2).mean() > 0.1


def test_random_microscopes_have_slices_that_differ():
    rng = np.random.default_rng(0)
    for n_slices in (2, 8, 24):
        for _ in range(50):
            scope = random_microscope(rng, n_slices)
            assert 0.06 < scope.cutoff_cycles_per_px < 0.34
            assert scope.cone_px_per_slice * (n_slices - 1) < 141
            assert 0.05 < scope.waves_per_slice < 4


def test_an_ordinary_microscope_samples_well_and_steps_by_about_a_depth_of_focus():
    rng = np.random.default_rng(4)
    for _ in range(50):
        scope = random_microscope(rng, 8, ordinary=True)
        assert 0.13 <= scope.cutoff_cycles_per_px <= 0.28
        assert 0.3 <= scope.coherence_ratio <= 0.8
        waves = scope.cone_px_per_slice * scope.cutoff_cycles_per_px / 2
        assert 0.2 <= waves <= 0.95  # of defocus at the pupil's rim, from slice to slice
