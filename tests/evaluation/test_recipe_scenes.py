from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.evaluation.recipe_scenes import equal_bins, recipe_scene, stack_by_recipe


def blurred_pixel(image: np.ndarray, y: int, x: int, distance: int) -> float:
    """Blur one pixel as the papers say, literally."""
    if distance == 0:
        return float(image[y, x])
    size = 2 * distance + 1
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    padded = np.pad(image.astype(float), distance, mode="reflect")
    offsets = np.arange(size) - distance
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    return float((padded[y : y + size, x : x + size] * weights).sum() / weights.sum())


def test_every_pixel_is_blurred_by_its_own_distance():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (14, 17)).astype(np.uint8)
    bins = rng.integers(0, 4, image.shape)
    stack = stack_by_recipe(image, bins, 4)
    assert stack.dtype == np.uint8
    for k, y, x in np.ndindex(stack.shape):
        expected = blurred_pixel(image, y, x, abs(int(bins[y, x]) - k))
        assert abs(float(stack[k, y, x]) - expected) <= 0.5 + 1e-6


def test_bins_are_equal_parts_of_the_range():
    assert equal_bins(np.array([2.0, 2.9, 3.1, 4.0]), 2).tolist() == [0, 0, 1, 1]
    assert equal_bins(np.full(3, 5.0), 4).tolist() == [0, 0, 0]


def test_the_true_index_gives_the_photograph_back():
    scene = recipe_scene(1, 96, 5)
    np.testing.assert_array_equal(scene.pixels_at(scene.index), scene.sharp)
    assert set(np.unique(scene.index)) <= set(range(5))
    assert len(np.unique(scene.index)) > 2


def test_noise_is_of_the_size_asked_for_and_the_truth_stays():
    clean, noisy = recipe_scene(0, 96, 3), recipe_scene(0, 96, 3, noise_grey=4.0)
    inner = (clean.stack > 20) & (clean.stack < 235)
    noise = noisy.stack.astype(float) - clean.stack
    assert noise[inner].std() == pytest.approx(4.0, rel=0.05)
    np.testing.assert_array_equal(noisy.index, clean.index)
    np.testing.assert_array_equal(noisy.sharp, clean.sharp)
