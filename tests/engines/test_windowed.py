"""What holds for every engine that averages an energy in a window."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.registry import make_engine
from napari_gmff.engines.windowed import ENERGY_FLOOR, WindowedEnergy
from napari_gmff.params import CLASSICAL_ENGINES
from napari_gmff.scores import ScoreKind
from tests.engines.classical import noise, scores_of


@pytest.fixture(params=CLASSICAL_ENGINES)
def engine(request):
    engine = make_engine(request.param, EngineOptions())
    assert isinstance(engine, WindowedEnergy)
    return engine


def test_choice_does_not_depend_on_the_scale(engine):
    stack = noise(4, 64, 64)
    choice = scores_of(engine, stack).argmax(0)
    assert len(np.unique(choice)) == 4
    for scale in (0.01, 300.0):
        assert (scores_of(engine, stack * np.float32(scale)).argmax(0) == choice).mean() > 0.9999


def test_sharper_slice_wins_everywhere(engine):
    sharp = noise(64, 64)
    stack = np.stack([ndimage.gaussian_filter(sharp, sigma) for sigma in (2, 0.5, 0, 1)])
    assert (scores_of(engine, stack).argmax(0) == 2).all()


def test_smooth_ramp_has_less_energy_than_texture(engine):
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    assert scores_of(engine, ramp[None]).mean() < scores_of(engine, noise(1, 64, 64)).min() - 3


@pytest.mark.parametrize("value", [0.0, 0.1, 0.7])
def test_constant_slices_score_the_floor(engine, value):
    scores = scores_of(engine, np.full((3, 20, 20), value, np.float32))
    # Wavelet filters add up to nothing only within the rounding of float32.
    np.testing.assert_allclose(scores, np.log(ENERGY_FLOOR), atol=0.05)


@pytest.mark.parametrize("value", [0.1, 1e6])
def test_equal_slices_tie(engine, value):
    scores = scores_of(engine, np.full((3, 20, 20), value, np.float32))
    assert (scores == scores[0]).all()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_tiny_images_are_scored(engine, shape):
    scores = scores_of(engine, noise(2, *shape))
    assert scores.shape == (2, *shape)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_score_is_a_log_energy(engine):
    stack = noise(1, 64, 64)
    assert engine.score_kind is ScoreKind.LOG_ENERGY
    difference = scores_of(engine, 10 * stack) - scores_of(engine, stack)
    np.testing.assert_allclose(difference, 2 * np.log(10), atol=1e-4)


def test_a_score_depends_on_nothing_beyond_the_reach(engine):
    plane, reach_px = noise(150, 160), engine.reach_px
    rows, columns = slice(40 - reach_px, 97 + reach_px), slice(51 - reach_px, 103 + reach_px)
    whole = scores_of(engine, plane[None])[0]
    part = np.ascontiguousarray(plane[rows, columns])
    found = scores_of(engine, part[None])[0, reach_px:-reach_px, reach_px:-reach_px]
    np.testing.assert_array_equal(found, whole[40:97, 51:103])


def test_smoothing_by_noise_keeps_the_choice_right_where_noise_would_decide(engine):
    rng = np.random.default_rng(3)
    sharp = ndimage.gaussian_filter(rng.random((96, 96)), 2).astype(np.float32)
    slices = [ndimage.gaussian_filter(sharp, sigma) for sigma in (0, 3, 6)]
    noisy = [one + 0.1 * sharp.std() * rng.standard_normal(one.shape) for one in slices]
    smoothed = np.stack([ndimage.gaussian_filter(one, 1.5) for one in noisy]).astype(np.float32)
    assert engine.smoothing_rule() == "auto-noise"
    assert (scores_of(engine, smoothed).argmax(0) == 0).mean() > 0.95
