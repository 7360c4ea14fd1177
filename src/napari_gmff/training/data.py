"""Batches by step number: the same step always gives the same stacks, in any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from napari_gmff.training.config import PATCH_PX, DataConfig, TrainConfig
from napari_gmff.training.examples import Example, make_example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_gmff.training.synthesis.mixture import Mixture

_TRAINING, _VALIDATION = 0, 1
"""Streams of random numbers, so that validation never sees a training stack."""


@dataclass(frozen=True)
class Batch:
    """Stacks of one size.

    Attributes
    ----------
    seen, target : Tensor, (B, N, Y, X), float32
        See `Example`.
    weight : Tensor, (B, Y, X), float32
    """

    seen: Tensor
    target: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        return Batch(self.seen.to(device), self.target.to(device), self.weight.to(device))


class TrainingBatches(Dataset[Batch]):
    """The batch of each step.

    Parameters
    ----------
    config : TrainConfig
    mixture : Mixture
    """

    def __init__(self, config: TrainConfig, mixture: Mixture) -> None:
        self._config = config
        self._mixture = mixture

    def __len__(self) -> int:
        return self._config.steps

    def __getitem__(self, step: int) -> Batch:
        """Draw the stacks of a step, counted from 0."""
        rng = np.random.default_rng([self._config.seed, _TRAINING, step])
        n_slices, side_px, n_stacks = _draw_sizes(self._config.data, rng)
        return stacked(
            [
                make_example(
                    self._mixture.draw(stack_rng, n_slices, (side_px, side_px)),
                    self._config.loss,
                    stack_rng,
                )
                for stack_rng in rng.spawn(n_stacks)
            ]
        )


def training_batches(
    config: TrainConfig, mixture: Mixture, first_step: int, n_workers: int
) -> Iterator[Batch]:
    """Yield the batches of steps `first_step` to the last, made in other processes.

    Parameters
    ----------
    config : TrainConfig
        Of the run.
    mixture : Mixture
        Draws the stacks.
    first_step : int
        Counted from 0.
    n_workers : int
        Processes; 0 makes batches in this one.
    """
    extra: dict[str, Any] = {}
    if n_workers:
        # Not fork: torch's threads do not survive it.
        extra = {"multiprocessing_context": "spawn", "prefetch_factor": 4}
    return iter(
        DataLoader(
            TrainingBatches(config, mixture),
            batch_size=None,
            sampler=range(first_step, config.steps),
            num_workers=n_workers,
            **extra,
        )
    )


def validation_batch(
    config: TrainConfig, mixture: Mixture, kind: str
) -> tuple[Batch, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return fixed stacks of a kind, and where they have known texture, (B, Y, X).

    Stacks have 8 slices.
    """
    side = config.validation_px
    examples, textured = [], []
    for number in range(config.validation_stacks):
        rng = np.random.default_rng([config.seed, _VALIDATION, number])
        sample = mixture.draw(rng, 8, (side, side), kind)
        examples.append(make_example(sample, config.loss, None))
        textured.append(sample.texture & sample.known)
    return stacked(examples), np.stack(textured)


def stacked(examples: list[Example]) -> Batch:
    """Put examples of one size together."""
    return Batch(
        torch.from_numpy(np.stack([example.seen for example in examples])),
        torch.from_numpy(np.stack([example.target for example in examples])),
        torch.from_numpy(np.stack([example.weight for example in examples])),
    )


def _draw_sizes(data: DataConfig, rng: np.random.Generator) -> tuple[int, int, int]:
    """Draw slices, side and number of stacks of a step; all its stacks are of one size."""
    long = rng.random() < data.long_share
    low, high = data.long_slices if long else data.slices
    n_slices = int(rng.integers(low, high + 1))
    weights = np.array(list(data.crop_px.values()))
    side_px = int(rng.choice(list(data.crop_px), p=weights / weights.sum()))
    patches = n_slices * (side_px // PATCH_PX) ** 2
    return n_slices, side_px, max(1, round(data.patches_per_step / patches))
