from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

import napari_gmff
from napari_gmff.sampling import (
    CLEAN_NOISE,
    PATCH_PX,
    decoded_bytes,
    looks_ordered,
    luminance,
    noise_level,
    patch_boxes,
    percentile_range,
    read_samples,
    smoothing_for,
)
from napari_gmff.scenes import fluorescence_scene, relief_scene
from napari_gmff.windows import Box

PHOTOGRAPHS = ("camera", "astronaut", "coffee", "moon", "brick", "grass", "gravel", "page", "coins")


def samples_of(stack: np.ndarray) -> np.ndarray:
    return read_samples(da.from_array(stack))


def papers_recipe(image: np.ndarray, n_slices: int) -> np.ndarray:
    """Blur an image by its distance in slices from each focal plane, in 8 bit."""
    rng = np.random.default_rng(0)
    depth = ndimage.gaussian_filter(rng.standard_normal(image.shape), min(image.shape) / 8)
    depth = (depth - depth.min()) / np.ptp(depth)
    index = np.minimum((depth * n_slices).astype(int), n_slices - 1)
    blurred = [image]
    for d in range(1, n_slices):
        sigma = 0.3 * (d - 1) + 0.8  # OpenCV's for a kernel of 2 d + 1
        blurred.append(ndimage.gaussian_filter(image, sigma, radius=d))
    stack = np.stack([np.choose(np.abs(index - k), blurred) for k in range(n_slices)])
    return np.clip(np.rint(stack), 0, 255).astype(np.uint8)


def photograph(name: str) -> np.ndarray:
    from skimage import data

    image = getattr(data, name)().astype(float)
    return image if image.ndim == 2 else image[..., :3] @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (48, 48), (49, 95), (1000, 700)])
def test_patches_lie_inside_the_image(shape):
    boxes = patch_boxes((2, *shape))
    assert len(set(boxes)) == len(boxes) <= 36
    for box in boxes:
        assert 0 <= box.y0 < box.y1 <= shape[0]
        assert 0 <= box.x0 < box.x1 <= shape[1]
        assert box.shape == (min(PATCH_PX, shape[0]), min(PATCH_PX, shape[1]))


def test_patches_spread_over_a_large_image():
    boxes = patch_boxes((64, 4096, 4096))
    assert len(boxes) == 36
    centres = np.array([(box.y0 + 24, box.x0 + 24) for box in boxes])
    assert centres.min() < 500
    assert centres.max() > 3500


def test_long_stack_is_sampled_in_fewer_places_but_in_every_slice():
    assert len(patch_boxes((65, 4096, 4096))) == 9
    assert len(read_samples(da.zeros((65, 20, 20), dtype="u1", chunks=(1, 20, 20)))) == 65


@pytest.mark.parametrize("chunks", [(1, 7, 300), (4, 64, 64), (2, 200, 300), (4, 200, 300)])
def test_samples_do_not_depend_on_chunks(chunks):
    stack = np.random.default_rng(0).integers(0, 4000, (4, 200, 300), dtype=np.uint16)
    found = read_samples(da.from_array(stack, chunks=chunks))
    np.testing.assert_array_equal(found, samples_of(stack))
    for number, box in enumerate(patch_boxes((4, 200, 300))):
        np.testing.assert_array_equal(found[:, number], stack[:, *box.slices])


@pytest.mark.parametrize("n_samples", [3, 4])
def test_luminance_weighs_colours_by_bt601_and_leaves_alpha_out(n_samples):
    plane = np.random.default_rng(0).integers(0, 256, (5, 6, n_samples), dtype=np.uint8)
    expected = plane[..., :3] @ np.array([0.299, 0.587, 0.114])
    found = luminance(plane)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_luminance_does_not_depend_on_the_memory_layout():
    plane = np.random.default_rng(0).random((65, 33, 3)).astype(np.float32)
    planar = np.ascontiguousarray(np.moveaxis(plane, -1, 0))
    np.testing.assert_array_equal(luminance(np.moveaxis(planar, 0, -1)), luminance(plane))
    np.testing.assert_array_equal(luminance(plane)[7:20, 3:9], luminance(plane[7:20, 3:9]))


def test_range_is_robust_against_hot_pixels():
    values = np.random.default_rng(0).uniform(100, 200, (2, 4, 48, 48)).astype(np.float32)
    values[0, 0, 0, 0] = 65_000
    low, high = percentile_range(values)
    assert 100 <= low < 102
    assert 198 < high <= 200


def test_range_of_few_objects_on_an_even_ground_reaches_the_objects():
    values = np.zeros((2, 36, 48, 48), np.float32)
    values[0, 0, :4, :4] = 900
    assert percentile_range(values) == (0.0, 900.0)


@pytest.mark.parametrize("fill", [0.0, 7.0, np.nan, 1e-42])
def test_range_is_never_empty(fill):
    low, high = percentile_range(np.full((1, 1, 8, 8), fill, np.float32))
    assert high - low == 1


def test_not_finite_values_are_marked_and_do_not_count():
    stack = np.random.default_rng(0).random((2, 48, 48)).astype(np.float32)
    stack[0, 0, :5] = [np.nan, np.inf, -np.inf, np.nan, np.nan]
    samples = samples_of(stack)
    assert np.isnan(samples).sum() == 5
    assert percentile_range(samples)[1] <= 1
    assert np.isfinite(noise_level(samples))


@pytest.mark.parametrize("photons", [200, 1000, 4000, 20_000])
def test_noise_of_a_relief_is_estimated_within_30_percent(photons):
    noisy, clean = (relief_scene(256, 6, photons=p).stack.astype(float) for p in (photons, np.inf))
    true = (noisy - clean).std()
    assert noise_level(samples_of(noisy.astype(np.uint16))) == pytest.approx(true, rel=0.3)


@pytest.mark.parametrize("sigma", [1, 2, 5, 10, 20])
def test_noise_added_to_a_photograph_is_estimated_within_30_percent(sigma):
    stack = papers_recipe(photograph("camera"), 5)
    noisy = stack + np.random.default_rng(0).normal(0, sigma, stack.shape)
    noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    assert noise_level(samples_of(noisy)) == pytest.approx(sigma, rel=0.3)


@pytest.mark.parametrize("n_slices", [2, 3, 6])
def test_clean_photographs_are_not_smoothed(n_slices):
    for name in PHOTOGRAPHS:
        samples = samples_of(papers_recipe(photograph(name), n_slices))
        low, high = percentile_range(samples)
        noise = noise_level(samples) / min(high - low, 255)
        assert smoothing_for(noise) == 0.0, f"{name}: noise {noise:.4f}"


@pytest.mark.parametrize("make", [relief_scene, fluorescence_scene])
def test_clean_scenes_are_not_smoothed(make):
    samples = samples_of(make(256, 6, photons=np.inf).stack)
    low, high = percentile_range(samples)
    assert smoothing_for(noise_level(samples) / (high - low)) == 0.0


@pytest.mark.parametrize("name", ["keyboard", "algae", "pcb/button", "pcb/connector"])
def test_clean_real_stacks_are_not_smoothed(name, shared_dir):
    with napari_gmff.read_stack(shared_dir / "data" / "stacks" / name) as stack:
        samples = read_samples(stack.data[0, 0])
    low, high = percentile_range(samples)
    assert smoothing_for(noise_level(samples) / (high - low)) == 0.0


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 3, 60), (2, 4, 4)])
def test_images_too_small_to_judge_count_as_noiseless(shape):
    assert noise_level(samples_of(np.random.default_rng(0).random(shape, np.float32))) == 0.0


def test_smoothing_is_exactly_0_below_the_limit_and_grows_above():
    assert [smoothing_for(noise) for noise in (0, 1e-9, CLEAN_NOISE)] == [0.0, 0.0, 0.0]
    above = [smoothing_for(noise) for noise in np.linspace(CLEAN_NOISE + 1e-6, 1, 300)]
    assert above == sorted(above)
    assert above[0] >= 1.0
    assert above[-1] <= 2.5


@pytest.mark.parametrize("n_slices", [5, 6, 12])
def test_order_of_slices_is_recognised_both_ways_round(n_slices):
    stack = relief_scene(256, n_slices).stack
    assert looks_ordered(samples_of(stack)) is True
    assert looks_ordered(samples_of(stack[::-1])) is True


@pytest.mark.parametrize("n_slices", [6, 12])
def test_shuffled_slices_are_recognised(n_slices):
    stack = relief_scene(128, n_slices).stack
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(n_slices)
        assert looks_ordered(samples_of(stack[order])) is False


def test_few_slices_count_as_ordered_and_equal_ones_do_not():
    assert looks_ordered(samples_of(np.zeros((4, 48, 48), np.uint8))) is True
    assert looks_ordered(samples_of(np.zeros((8, 48, 48), np.uint8))) is False


@pytest.mark.parametrize(
    ("shape", "chunks", "expected_px"),
    [
        ((1, 1, 3, 400, 300), (1, 1, 1, 400, 300), 400 * 300),
        ((1, 1, 3, 400, 300), (1, 1, 3, 400, 300), 3 * 400 * 300),
        ((1, 1, 3, 400, 300), (1, 1, 1, 100, 100), 200 * 200),
        ((1, 1, 3, 400, 300, 3), (1, 1, 1, 400, 300, 3), 400 * 300 * 3),
        ((2, 2, 3, 400, 300), (1, 2, 1, 50, 300), 2 * 200 * 300),
    ],
)
def test_what_has_to_be_decoded_are_whole_chunks_each_once(shape, chunks, expected_px):
    boxes = [Box(90, 101, 0, 100), Box(0, 5, 100, 150), Box(150, 200, 120, 121)]
    data = da.zeros(shape, dtype="uint16", chunks=chunks)
    assert decoded_bytes(data, boxes) == 2 * expected_px
