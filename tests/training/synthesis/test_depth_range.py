import numpy as np

from napari_gmff.training.synthesis.depth_range import (
    filled_from_nearest,
    log_uniform,
    random_depth_range,
)


def test_ranges_stay_within_the_slices_and_are_flat_and_narrow_as_often_as_asked():
    rng = np.random.default_rng(0)
    for n_slices in (1, 2, 3, 12, 24):
        ranges = np.array([random_depth_range(rng, n_slices) for _ in range(600)])
        assert ranges.min() >= 0
        assert ranges.max() <= n_slices - 1
        assert (ranges[:, 0] <= ranges[:, 1]).all()
    extents = np.diff(ranges, axis=1)[:, 0]
    assert 0.1 < (extents == 0).mean() < 0.25
    assert 0.2 < ((extents > 0) & (extents <= 23 / 3 + 1)).mean() < 0.4
    assert (ranges[:, 1] > 22).mean() > 0.2


def test_flat_scenes_lie_at_an_end_now_and_then():
    rng = np.random.default_rng(0)
    depths = np.array([random_depth_range(rng, 9, flat=1.0)[0] for _ in range(400)])
    assert (depths == 0).mean() > 0.05
    assert (depths == 8).mean() > 0.05
    assert 0.4 < (depths == np.rint(depths)).mean() < 0.7


def test_unknown_pixels_take_the_nearest_known_depth():
    depth = np.array([[1, 9, 9, 9, 5]], np.float32)
    known = np.array([[True, False, False, False, True]])
    assert filled_from_nearest(depth, known)[0, [0, 1, 3, 4]].tolist() == [1, 1, 5, 5]
    assert filled_from_nearest(depth, np.zeros_like(known)) is depth


def test_logarithms_are_evenly_spread():
    rng = np.random.default_rng(0)
    draws = np.array([log_uniform(rng, 0.01, 100) for _ in range(2000)])
    assert 0.01 <= draws.min() < draws.max() <= 100
    assert abs((draws < 1).mean() - 0.5) < 0.05
