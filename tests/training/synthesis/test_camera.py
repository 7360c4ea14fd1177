import dataclasses
import math

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.camera import (
    Camera,
    photographed,
    random_camera,
    with_distractors,
)
from napari_gmff.training.synthesis.synthetic_stack import DISTRACTOR, ordered_stack


def flat_scene(level=0.5, n_slices=4, side=64):
    sharp = np.full((side, side), level, np.float32)
    depth = np.tile(np.linspace(0, n_slices - 1, side, dtype=np.float32), (side, 1))
    return ordered_stack(np.stack([sharp] * n_slices), depth, sharp, "flat")


def textured_scene(n_slices=5, side=64, seed=0):
    rng = np.random.default_rng(seed)
    sharp = ndimage.gaussian_filter(rng.random((side, side)), 1.5).astype(np.float32)
    depth = np.tile(np.linspace(0, n_slices - 1, side, dtype=np.float32), (side, 1))
    stack = [ndimage.gaussian_filter(sharp, 0.5 * k) for k in range(n_slices)]
    return ordered_stack(np.stack(stack), depth, sharp, "textured")


def photo(scene, seed=0, **faults):
    return photographed(scene, Camera(**faults), np.random.default_rng(seed)).stack


def test_a_perfect_camera_only_rounds_to_its_bits():
    scene = textured_scene()
    assert np.abs(photo(scene) - scene.stack).max() <= 0.5 / 65_535 + 1e-7
    eight_bit = photo(scene, bits=8)
    np.testing.assert_allclose(eight_bit * 255, np.rint(eight_bit * 255), atol=1e-4)
    assert np.abs(eight_bit - scene.stack).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("photons", [50, 5000])
def test_shot_noise_has_the_variance_of_the_photons_counted(photons):
    stack = photo(flat_scene(0.5), photons=photons)
    assert stack.std() == pytest.approx(math.sqrt(0.5 / photons), rel=0.03)


def test_read_noise_adds_to_the_shot_noise():
    stack = photo(flat_scene(0.5), photons=1000, read_noise=0.03)
    assert stack.std() == pytest.approx(math.hypot(math.sqrt(0.5 / 1000), 0.03), rel=0.03)


def test_a_dim_exposure_uses_its_part_of_the_range_and_a_long_one_saturates():
    scene = textured_scene()
    np.testing.assert_allclose(photo(scene, exposure=0.1), 0.1 * scene.stack, atol=1e-4)
    bright = photo(scene, exposure=3.0)
    assert bright.max() == 1
    assert (bright == 1).mean() > 0.3


def test_flicker_changes_whole_slices():
    stack = photo(flat_scene(n_slices=8), flicker=0.05)
    means = stack.mean((1, 2))
    assert means.std() > 0.01
    assert stack.std((1, 2)).max() < 1e-4


def test_bleaching_dims_the_last_slice_by_its_share():
    means = photo(flat_scene(0.5, n_slices=5), fading=0.4).mean((1, 2))
    assert np.all(np.diff(means) < 0)
    assert means[-1] / means[0] == pytest.approx(0.6, rel=0.01)


def test_vignetting_darkens_the_corners_and_not_the_middle():
    plane = photo(flat_scene(0.8), vignetting=0.5)[0]
    assert plane[32, 32] == pytest.approx(0.8, rel=0.02)
    assert plane[0, 0] == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize("faults", [{"n_dust": 6}, {"hot_pixels": 0.01}])
def test_dust_and_hot_pixels_are_the_same_in_every_slice(faults):
    stack = photo(flat_scene(0.5), **faults)
    assert stack[0].std() > 0.005
    assert all(np.array_equal(stack[0], plane) for plane in stack[1:])


def test_drift_moves_slices_by_no_more_than_its_length():
    scene = textured_scene()
    stack = photo(scene, drift_px=1.0)
    moved = [not np.allclose(a, b, atol=1e-3) for a, b in zip(stack, scene.stack, strict=True)]
    assert sum(moved) >= len(moved) - 1
    # Moved back by at most one pixel, each slice is what it was.
    for plane, original in zip(stack, scene.stack, strict=True):
        inner = (slice(4, -4),) * 2
        errors = [
            np.abs(ndimage.shift(plane, (dy, dx), order=3, mode="nearest") - original)[inner].mean()
            for dy in np.arange(-1, 1.01, 0.25)
            for dx in np.arange(-1, 1.01, 0.25)
        ]
        assert min(errors) < 0.1 * original.std() + 1e-4


def test_jpeg_leaves_its_blocks():
    scene = textured_scene()
    worse, better = (np.abs(photo(scene, bits=8, jpeg_quality=q) - scene.stack) for q in (20, 95))
    assert worse.mean() > 2 * better.mean() > 0


def test_the_same_seed_gives_the_same_photograph():
    camera = {"photons": 100.0, "n_dust": 3, "drift_px": 0.5, "flicker": 0.1}
    scene = textured_scene()
    assert np.array_equal(photo(scene, 7, **camera), photo(scene, 7, **camera))
    assert not np.array_equal(photo(scene, 7, **camera), photo(scene, 8, **camera))


def test_a_photograph_keeps_the_truth():
    scene = textured_scene()
    taken = photographed(scene, Camera(photons=100), np.random.default_rng(0))
    assert taken.index is scene.index
    assert taken.sharp is scene.sharp
    assert 0 <= taken.stack.min() and taken.stack.max() <= 1


@pytest.mark.parametrize(
    "fault",
    [
        {"photons": 0},
        {"bits": 0},
        {"bits": 17},
        {"exposure": -1},
        {"fading": 1.0},
        {"drift_px": -0.1},
        {"jpeg_quality": 0},
        {"gamma": 0},
    ],
)
def test_an_impossible_camera_is_refused_by_name_and_value(fault):
    (name, value), *_ = fault.items()
    with pytest.raises(ParameterError, match=f"{name}: must be .*, got {value!r}"):
        Camera(**fault)


def test_random_cameras_differ_and_cover_the_photons_asked_for():
    cameras = [random_camera(np.random.default_rng(seed)) for seed in range(400)]
    photons = [c.photons * min(c.exposure, 1) for c in cameras if math.isfinite(c.photons)]
    assert min(photons) >= 49 and max(photons) <= 50_001
    assert min(photons) < 100 and max(photons) > 25_000
    assert {8, 12, 16} == {camera.bits for camera in cameras}
    faults = {
        field.name
        for camera in cameras
        for field in dataclasses.fields(camera)
        if getattr(camera, field.name) != field.default
    }
    assert faults == {field.name for field in dataclasses.fields(Camera)}


def test_distractors_move_the_index_with_the_slices():
    scene = textured_scene(6)
    for seed in range(5):
        more = with_distractors(scene, 2, 1, np.random.default_rng(seed))
        assert more.n_slices == 9
        assert more.order.count(DISTRACTOR) == 2
        assert not more.ordered
        chosen = np.take_along_axis(more.stack, more.index[None], 0)
        assert np.array_equal(chosen, np.take_along_axis(scene.stack, scene.index[None], 0))
        places = np.array(more.order)
        assert np.array_equal(places[more.index], scene.index)


def test_a_doubled_slice_shares_its_place_in_z():
    scene = textured_scene(4)
    more = with_distractors(scene, 0, 3, np.random.default_rng(0))
    for place, plane in zip(more.order, more.stack, strict=True):
        assert np.array_equal(plane, scene.stack[place])


def test_a_blank_slice_holds_no_texture():
    scene = textured_scene(4)
    more = with_distractors(scene, 1, 0, np.random.default_rng(0))
    blank = more.stack[more.order.index(DISTRACTOR)]
    sharpest = max(np.diff(plane).std() for plane in scene.stack)
    assert np.diff(blank).std() < 0.1 * sharpest
