"""The learning rate by step, and the moving average of the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_gmff.training.config import OptimiserConfig


def learning_rate(step: int, n_steps: int, optimiser: OptimiserConfig) -> float:
    """Return the learning rate of a step: a linear warm-up, then half a cosine.

    Parameters
    ----------
    step : int
        Counted from 0.
    n_steps : int
        Of the whole run.
    optimiser : OptimiserConfig
        Sets rate, warm-up and end.
    """
    warm_up = min(1.0, (step + 1) / (optimiser.warmup_steps + 1))
    done = step / max(n_steps - 1, 1)
    cosine = (1 + math.cos(math.pi * done)) / 2
    final = optimiser.final_share
    return optimiser.learning_rate * warm_up * (final + (1 - final) * cosine)


class MovingAverage:
    """Exponential moving average of a network's state, BatchNorm statistics included.

    The decay grows from 0 with the steps, so that first weights do not linger.

    Parameters
    ----------
    network : nn.Module
    decay : float
        In the long run.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.state = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        decay = min(self._decay, (step + 1) / (step + 10))
        for name, tensor in network.state_dict().items():
            mean = self.state[name]
            if mean.is_floating_point():
                mean.lerp_(tensor, 1 - decay)
            else:
                mean.copy_(tensor)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, mean in self.state.items():
            mean.copy_(state[name])
