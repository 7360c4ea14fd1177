from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.restoration.diffusion.schedule import make_scheduler, timesteps


def test_noise_levels_are_those_of_the_authors(tiny_config):
    listed = tiny_config["timesteps"]
    assert len(listed) >= 6
    for n_steps, expected in listed.items():
        assert timesteps(int(n_steps)) == expected


def test_noise_levels_fall_from_999_to_0_for_every_number_of_steps():
    for n_steps in range(2, 1001):
        levels = timesteps(n_steps)
        assert len(levels) == n_steps
        assert (levels[0], levels[-1]) == (999, 0)
        assert all(a > b for a, b in itertools.pairwise(levels))


def test_even_spacing_would_differ_for_278_of_all_numbers_of_steps():
    # The figure that was found with the authors' code.
    even = [np.linspace(0, 999, n).round()[::-1].astype(int).tolist() for n in range(2, 1001)]
    differ = sum(timesteps(n) != levels for n, levels in zip(range(2, 1001), even, strict=True))
    assert differ == 278


@pytest.mark.parametrize("n_steps", [0, 1, 1001])
def test_a_number_of_steps_outside_its_limits_is_refused(n_steps):
    with pytest.raises(ParameterError, match=f"steps must be from 2 to 1000, found {n_steps}"):
        timesteps(n_steps)


def test_the_scheduler_takes_these_levels_and_clips_nothing():
    pytest.importorskip("diffusers")
    scheduler = make_scheduler(21)
    assert scheduler.timesteps.tolist() == timesteps(21)
    assert scheduler.config.clip_sample is False
    assert scheduler.config.variance_type == "fixed_small"
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    np.testing.assert_allclose(scheduler.betas.numpy(), betas, rtol=1e-5)
