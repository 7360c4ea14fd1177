from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.training.synthesis.images import ImageSource
from napari_gmff.training.synthesis.recipe import (
    gaussian_kernel,
    random_recipe,
    recipe_stack,
    recipe_stack_from_files,
)


def mirrored(place: int, length: int) -> int:
    """Return the pixel that stands in for one beyond the border, which is not repeated."""
    while not 0 <= place < length:
        place = -place if place < 0 else 2 * (length - 1) - place
    return place


def pixel_by_pixel(image: np.ndarray, depth: np.ndarray, n_slices: int) -> np.ndarray:
    """Write the papers' description down as slowly and literally as possible."""
    height, width = image.shape
    grey = np.rint(image.astype(float) * 255)
    stack = np.empty((n_slices, height, width))
    for k, y, x in np.ndindex(stack.shape):
        wanted = min(math.floor(float(depth[y, x]) * n_slices), n_slices - 1)
        d = abs(wanted - k)
        size = 2 * d + 1
        sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
        weights = [math.exp(-((i - d) ** 2) / (2 * sigma**2)) for i in range(size)]
        total = 0.0
        for i, j in np.ndindex(size, size):
            neighbour = grey[mirrored(y + i - d, height), mirrored(x + j - d, width)]
            total += weights[i] * weights[j] * neighbour
        stack[k, y, x] = round(total / sum(weights) ** 2) / 255
    return stack


@pytest.mark.parametrize("n_slices", [1, 2, 5])
def test_the_stack_is_the_papers_pixel_by_pixel(n_slices):
    rng = np.random.default_rng(1)
    image, depth = rng.random((13, 11)), rng.random((13, 11))
    depth[0, :2] = 0, 1
    made = recipe_stack(image, depth, n_slices)
    difference = np.abs(made.stack - pixel_by_pixel(image, depth, n_slices)) * 255
    # A value halfway between two grey levels may be rounded either way.
    assert difference.max() < 1.01
    assert np.count_nonzero(difference > 0.01) <= 1
    assert np.array_equal(made.index, np.minimum((depth * n_slices).astype(int), n_slices - 1))


def test_sigma_is_the_one_that_opencv_takes_for_the_size():
    # Sizes 3, 5 and 7 have sigma 0.8, 1.1 and 1.4.
    for distance, sigma in ((1, 0.8), (2, 1.1), (3, 1.4)):
        kernel = gaussian_kernel(distance)
        assert len(kernel) == 2 * distance + 1
        assert kernel.sum() == pytest.approx(1)
        ratio = kernel[distance] / kernel[distance + 1]
        assert ratio == pytest.approx(math.exp(1 / (2 * sigma**2)))


def test_truth_is_the_bin_and_its_pixels_are_the_image_itself():
    rng = np.random.default_rng(2)
    image, depth = rng.random((20, 20)), rng.random((20, 20))
    made = recipe_stack(image, depth, 4)
    chosen = np.take_along_axis(made.stack, made.index[None], 0)[0]
    assert np.array_equal(chosen, made.sharp)
    assert np.array_equal(made.depth, made.index)
    assert np.allclose(made.sharp, image, atol=0.5 / 255 + 1e-6)


def test_all_values_have_8_bits():
    made = random_recipe(np.random.default_rng(3), 6, (40, 30), ImageSource.procedural())
    assert np.allclose(made.stack * 255, np.rint(made.stack * 255), atol=1e-4)


def test_a_margin_gives_the_same_pixels_as_cropping_a_larger_stack():
    rng = np.random.default_rng(4)
    image, depth = rng.random((30, 26)), rng.random((30, 26))
    inner = (slice(5, -5), slice(5, -5))
    # No kernel of six slices reaches farther than five pixels.
    with_margin = recipe_stack(image, depth[inner], 6, margin_px=5)
    whole = recipe_stack(image, depth, 6)
    assert np.array_equal(with_margin.stack, whole.stack[:, *inner])


def test_most_random_stacks_use_all_slices_and_some_are_flat():
    rng, images = np.random.default_rng(5), ImageSource.procedural()
    used = [len(np.unique(random_recipe(rng, 4, (32, 32), images).index)) for _ in range(120)]
    assert np.mean(np.array(used) == 4) > 0.55
    assert min(used) == 1


def test_files_give_the_image_and_its_measured_depth(tmp_path):
    rng = np.random.default_rng(6)
    grey = rng.integers(0, 256, (24, 32), np.uint8)
    Image.fromarray(grey).save(tmp_path / "image.png")
    # Half the image's size, from 100 (far) to 400; 0 is unknown.
    disparity = np.linspace(100, 400, 16).round().astype(np.uint16) * np.ones((12, 1), np.uint16)
    disparity[3, 3] = 0
    Image.fromarray(disparity).save(tmp_path / "depth.png")
    made = recipe_stack_from_files(tmp_path / "image.png", tmp_path / "depth.png", 3, rng=rng)
    assert np.array_equal(np.rint(made.sharp * 255), grey)
    assert made.index[:, 0].tolist() == [0] * 24
    assert made.index[:, -1].tolist() == [2] * 24
    assert made.index[6, 6] == made.index[6, 5]


def test_files_without_a_depth_map_get_a_drawn_one(tmp_path):
    Image.fromarray(np.zeros((24, 32), np.uint8)).save(tmp_path / "image.png")
    rng = np.random.default_rng(7)
    made = recipe_stack_from_files(tmp_path / "image.png", None, 3, rng=rng)
    assert set(np.unique(made.index)) == {0, 1, 2}


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "image.png").write_text("no image")
    with pytest.raises(SourceError, match=r"image\.png: must be a readable image"):
        recipe_stack_from_files(tmp_path / "image.png", None, 3, rng=np.random.default_rng(0))


def test_depth_outside_0_to_1_is_refused():
    with pytest.raises(ParameterError, match="depth must lie within 0 to 1, got 0 to 2"):
        recipe_stack(np.zeros((4, 4)), np.linspace(0, 2, 16).reshape(4, 4), 3)


def test_middlebury_stacks_have_their_disparity_as_truth(shared_dir):
    folder = shared_dir / "data" / "depth" / "middlebury"
    made = recipe_stack_from_files(
        folder / "cones_left.png", folder / "cones_gt.png", 8, rng=np.random.default_rng(0)
    )
    assert made.stack.shape == (8, 375, 450)
    assert len(np.unique(made.index)) == 8
