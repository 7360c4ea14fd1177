"""What all generators that start from images have in common."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.blur import random_blurred
from napari_gmff.training.synthesis.images import ImageSource
from napari_gmff.training.synthesis.overlap import random_overlap
from napari_gmff.training.synthesis.recipe import random_recipe
from napari_gmff.training.synthesis.relief import random_relief
from napari_gmff.training.synthesis.thin_lens import random_thin_lens

GENERATORS = (random_blurred, random_overlap, random_recipe, random_relief, random_thin_lens)

each_generator = pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)


@each_generator
@pytest.mark.parametrize("shape_yx", [(1, 1), (1, 7), (37, 20)], ids=str)
@pytest.mark.parametrize("n_slices", [1, 2, 7])
def test_stack_and_truth_of_any_size_fit_together(generator, shape_yx, n_slices):
    rng = np.random.default_rng(n_slices)
    for _ in range(4):
        made = generator(rng, n_slices, shape_yx, ImageSource.procedural())
        assert made.stack.shape == (n_slices, *shape_yx)
        assert made.stack.dtype == made.depth.dtype == made.sharp.dtype == np.float32
        for truth in (made.index, made.depth, made.sharp, made.texture, made.known):
            assert truth.shape == shape_yx
        assert made.stack.min() >= 0
        assert made.stack.max() <= 1.1
        assert 0 <= made.depth.min() <= made.depth.max() <= n_slices - 1
        assert np.array_equal(made.index, np.rint(made.depth))
        assert made.ordered


@each_generator
def test_the_same_seed_gives_the_same_stack_and_another_seed_another(generator):
    first, again, other = (
        generator(np.random.default_rng(seed), 5, (24, 31), ImageSource.procedural())
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first.stack, again.stack)
    assert np.array_equal(first.depth, again.depth)
    assert not np.array_equal(first.stack, other.stack)


@each_generator
def test_textured_pixels_are_nearest_to_the_sharp_image_in_their_true_slice(generator):
    rng = np.random.default_rng(0)
    right, judged = 0, 0
    for _ in range(12):
        made = generator(rng, 3, (64, 64), ImageSource.procedural())
        errors = np.abs(made.stack - made.sharp)
        # Halfway between slices either is right.
        sure = made.texture & made.known & (np.abs(made.depth - made.index) < 0.3)
        true_error = np.take_along_axis(errors, made.index[None], 0)[0]
        right += np.count_nonzero((true_error <= errors.min(0) + 0.02) & sure)
        judged += np.count_nonzero(sure)
    assert judged > 10_000
    # Behind a lens, defocused edges veil the focused background beside them.
    assert right / judged > (0.9 if generator is random_thin_lens else 0.97)


@each_generator
def test_parameters_that_make_no_sense_are_refused_by_name_and_value(generator):
    rng, images = np.random.default_rng(0), ImageSource.procedural()
    with pytest.raises(ParameterError, match=r"n_slices must be a whole number.*got 0"):
        generator(rng, 0, (8, 8), images)
    with pytest.raises(ParameterError, match=r"shape_yx must be two sizes.*got \(0, 8\)"):
        generator(rng, 3, (0, 8), images)
