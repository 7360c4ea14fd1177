from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import gaussian, laplace

from napari_gmff.engines.base import EngineOptions, whole
from napari_gmff.engines.laplacian import ENERGY_FLOOR, WINDOW_SIGMA_PX, LaplacianEnergy
from napari_gmff.scores import ScoreKind


def scores_of(stack: np.ndarray) -> np.ndarray:
    """Return all scores (N, H, W)."""
    engine = LaplacianEnergy(EngineOptions())
    items = list(engine.iter_scores(lambda k: stack[k], len(stack), stack.shape[1:]))
    assert [item.slice_index for item in items] == list(range(len(stack)))
    assert {item.tile for item in items} == {whole(stack.shape[1:])}
    assert len(items) == engine.n_steps(len(stack), stack.shape[1:])
    return np.stack([item.scores for item in items])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def test_scores_equal_a_brute_force_reference():
    plane = noise(40, 50).astype(np.float64)
    # scikit-image's Laplacian has the other sign, which the square removes; inside its border.
    energy = np.zeros_like(plane)
    padded = np.pad(plane, 1, mode="symmetric")
    energy = laplace(padded)[1:-1, 1:-1] ** 2
    expected = np.log(
        gaussian(energy, WINDOW_SIGMA_PX, mode="reflect", truncate=4.0) + ENERGY_FLOOR
    )
    found = scores_of(plane[None].astype(np.float32))[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_choice_does_not_depend_on_the_scale():
    stack = noise(4, 64, 64)
    choice = scores_of(stack).argmax(0)
    assert len(np.unique(choice)) == 4
    for scale in (0.01, 300.0):
        assert (scores_of(stack * np.float32(scale)).argmax(0) == choice).mean() > 0.9999


def test_sharper_slice_wins_everywhere():
    sharp = noise(64, 64)
    stack = np.stack([ndimage.gaussian_filter(sharp, sigma) for sigma in (2, 0.5, 0, 1)])
    assert (scores_of(stack).argmax(0) == 2).all()


def test_smooth_ramp_has_less_energy_than_texture():
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    assert scores_of(ramp[None]).mean() < scores_of(noise(1, 64, 64)).min() - 5


@pytest.mark.parametrize("value", [0.0, 0.1, 0.7, 1e6])
def test_constant_slices_tie(value):
    scores = scores_of(np.full((3, 20, 20), value, np.float32))
    np.testing.assert_allclose(scores, np.log(ENERGY_FLOOR), rtol=1e-6)
    assert (scores == scores[0]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_tiny_images_are_scored(shape):
    scores = scores_of(noise(2, *shape))
    assert scores.shape == (2, *shape)
    assert np.isfinite(scores).all()


def test_score_is_a_log_energy():
    stack = noise(1, 64, 64)
    assert LaplacianEnergy.score_kind is ScoreKind.LOG_ENERGY
    difference = scores_of(10 * stack) - scores_of(stack)
    np.testing.assert_allclose(difference, 2 * np.log(10), atol=1e-4)
