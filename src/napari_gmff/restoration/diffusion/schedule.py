"""At which noise levels the model is asked, and diffusers' sampler set up for them."""

from __future__ import annotations

from itertools import accumulate, repeat
from typing import Any

from napari_gmff.errors import ParameterError
from napari_gmff.restoration.diffusion.extra import diffusers_module
from napari_gmff.restoration.diffusion.sizes import sd21_base

N_TRAIN_STEPS = 1000


def timesteps(n_steps: int) -> list[int]:
    """Choose noise levels as the authors do, from the strongest to none.

    The position is advanced by addition and rounded, half to even; for 278 of the 999 numbers of
    steps this differs from diffusers' even spacing.

    Parameters
    ----------
    n_steps : int
        2 to 1000.

    Returns
    -------
    list of int
        999 down to 0.

    Raises
    ------
    ParameterError
        If the number of steps is outside its limits.
    """
    if not 2 <= n_steps <= N_TRAIN_STEPS:
        raise ParameterError(f"steps must be from 2 to {N_TRAIN_STEPS}, found {n_steps}")
    stride = (N_TRAIN_STEPS - 1) / (n_steps - 1)
    positions = accumulate(repeat(stride, n_steps - 1), initial=0.0)
    return [round(position) for position in positions][::-1]


def make_scheduler(n_steps: int) -> Any:
    """Make diffusers' ancestral ``DDPMScheduler`` for these noise levels.

    Its variance is the smaller of the two of Ho et al., "Denoising Diffusion Probabilistic Models"
    (2020), section 3.2; nothing is clipped.
    """
    scheduler = diffusers_module().DDPMScheduler(**sd21_base()["scheduler"])
    scheduler.set_timesteps(timesteps=timesteps(n_steps))
    return scheduler
