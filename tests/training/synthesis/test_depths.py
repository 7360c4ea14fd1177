from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.training.synthesis.depths import (
    along_outlines,
    fitted,
    random_depth,
    random_range,
    random_surface,
    read_depth,
)


def test_depth_stays_within_the_stack_and_often_fills_it():
    rng = np.random.default_rng(0)
    depths = [random_depth(rng, (20, 30), 9) for _ in range(150)]
    assert all(0 <= depth.min() <= depth.max() <= 8 for depth in depths)
    assert all(depth.shape == (20, 30) and depth.dtype == np.float32 for depth in depths)
    assert np.mean([np.ptp(depth) > 0.6 * 8 - 1e-3 for depth in depths]) > 0.45


def test_a_seventh_of_all_scenes_is_one_plane_and_a_quarter_narrow():
    rng = np.random.default_rng(1)
    spans = np.array([np.subtract(*random_range(rng, 10)[::-1]) for _ in range(2000)])
    assert np.mean(spans == 0) == pytest.approx(0.15, abs=0.03)
    assert np.mean((spans > 0) & (spans <= 3)) == pytest.approx(0.25, abs=0.03)
    assert np.mean(spans >= 0.6 * 9) == pytest.approx(0.6, abs=0.03)


def test_one_plane_lies_near_a_slice_so_that_one_slice_is_the_true_one():
    rng = np.random.default_rng(2)
    ranges = [random_range(rng, 6) for _ in range(500)]
    flat = np.array([low for low, high in ranges if low == high])
    assert len(flat) > 30
    assert np.abs(flat - np.rint(flat)).max() <= 0.36
    assert set(np.rint(flat)) == set(range(6))


def test_every_kind_of_surface_spans_0_to_1():
    rng = np.random.default_rng(3)
    for _ in range(100):
        surface = random_surface(rng, (25, 18))
        assert surface.dtype == np.float32
        assert surface.min() == 0
        assert surface.max() == 1


def test_surfaces_have_smooth_and_sharp_edged_kinds():
    rng = np.random.default_rng(4)
    steepest = [np.abs(np.diff(random_surface(rng, (64, 64)), axis=1)).max() for _ in range(60)]
    assert min(steepest) < 0.1
    assert max(steepest) > 0.5


def two_discs(shape_yx=(60, 60)):
    y, x = np.indices(shape_yx)
    image = np.full(shape_yx, 0.1, np.float32)
    image[np.hypot(y - 20, x - 15) < 9] = 0.9
    image[np.hypot(y - 40, x - 42) < 12] = 0.5
    return image


def test_depth_along_outlines_steps_only_where_the_picture_does():
    image = two_discs()
    edges = np.hypot(*np.gradient(image)) > 0
    near = ndimage.binary_dilation(edges, iterations=4)  # the median rounds corners
    for seed in range(30):
        depth = along_outlines(np.random.default_rng(seed), image)
        assert depth.dtype == np.float32
        assert 0 <= depth.min() <= depth.max() <= 1
        steps = np.abs(np.diff(depth, axis=1)) > 0.05  # more than the ground's tilt
        assert not (steps & ~near[:, 1:]).any()


def test_depth_along_outlines_of_a_blank_picture_is_a_plane():
    depth = along_outlines(np.random.default_rng(2), np.full((20, 30), 0.4, np.float32))
    assert np.isfinite(depth).all()
    assert np.abs(np.diff(depth, 2, axis=1)).max() < 1e-5


def test_a_fifth_of_surfaces_follow_a_picture_where_there_is_one():
    image = two_discs()
    near = ndimage.binary_dilation(np.hypot(*np.gradient(image)) > 0, iterations=4)

    def steps_only_at_outlines(surface):
        steps = np.abs(np.diff(surface, axis=1)) > 0.05
        return steps.any() and not (steps & ~near[:, 1:]).any()

    rng = np.random.default_rng(5)
    with_picture = [random_surface(rng, image.shape, image) for _ in range(300)]
    without = [random_surface(rng, image.shape) for _ in range(300)]
    assert 0.1 < np.mean([steps_only_at_outlines(surface) for surface in with_picture]) < 0.3
    assert np.mean([steps_only_at_outlines(surface) for surface in without]) < 0.02


def test_a_single_slice_and_a_single_pixel_have_depth_zero():
    rng = np.random.default_rng(5)
    assert not random_depth(rng, (3, 4), 1).any()
    assert random_surface(rng, (1, 1)).tolist() == [[0]]


def test_unknown_pixels_take_the_depth_of_their_neighbours(tmp_path):
    disparity = np.full((6, 8), 1000, np.uint16)
    disparity[:, 4:] = 3000
    disparity[2, 1] = disparity[3, 6] = 0
    Image.fromarray(disparity).save(tmp_path / "depth.png")
    depth = read_depth(tmp_path / "depth.png")
    assert not depth[:, :4].any()
    assert (depth[:, 4:] == 1).all()


def test_without_an_unknown_value_only_nan_is_unknown(tmp_path):
    metres = np.linspace(0, 4, 30, dtype=np.float32).reshape(5, 6)
    metres[4, 5] = np.nan
    tifffile.imwrite(tmp_path / "depth.tif", metres)
    depth = read_depth(tmp_path / "depth.tif", invalid=None)
    assert depth[0, 0] == 0
    assert np.isfinite(depth).all()


def test_a_map_without_any_known_depth_is_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "empty.png")
    with pytest.raises(SourceError, match=r"empty\.png: a depth map must hold a known depth"):
        read_depth(tmp_path / "empty.png")


def test_stretching_a_map_invents_no_depths():
    depth = np.float32([[0, 1], [1, 0]])
    assert set(np.unique(fitted(depth, (7, 5)))) == {0, 1}


def test_bad_sizes_are_refused():
    with pytest.raises(ParameterError, match="n_slices"):
        random_depth(np.random.default_rng(0), (4, 4), -1)
    with pytest.raises(ParameterError, match="shape_yx"):
        random_depth(np.random.default_rng(0), (4,), 3)
