"""Fixed stacks of every kind, on which a run is watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from napari_gmff.training.data import Batch, validation_batch
from napari_gmff.training.loss import focus_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.training.config import TrainConfig
    from napari_gmff.training.synthesis.mixture import Mixture


@dataclass(frozen=True)
class _Kind:
    name: str
    batch: Batch
    textured: NDArray[np.bool_]


class Validation:
    """Scores a network on fixed stacks that training never sees.

    Parameters
    ----------
    config : TrainConfig
    mixture : Mixture
    """

    def __init__(self, config: TrainConfig, mixture: Mixture) -> None:
        self._kinds = [
            _Kind(kind, *validation_batch(config, mixture, kind))
            for kind in sorted(mixture.shares)
            if mixture.shares[kind]
        ]

    @torch.no_grad()
    def rows(self, network: nn.Module, step: int, device: torch.device) -> list[dict[str, object]]:
        """Return one row per kind.

        Parameters
        ----------
        network : nn.Module
            In evaluation mode.
        step : int
            To write into the rows.
        device : torch.device
            Where the network is.

        Returns
        -------
        list of dict
            step, kind, loss (nats), accuracy and within_one on textured pixels (0 to 1).
        """
        return [self._row(kind, network, step, device) for kind in self._kinds]

    def _row(
        self, kind: _Kind, network: nn.Module, step: int, device: torch.device
    ) -> dict[str, object]:
        losses, off = [], []
        for number in range(len(kind.batch.seen)):
            one = slice(number, number + 1)
            batch = Batch(kind.batch.seen[one], kind.batch.target[one], kind.batch.weight[one]).to(
                device
            )
            logits = network(batch.seen)
            losses.append(float(focus_loss(logits, batch)))
            found = logits.argmax(1)[0].cpu().numpy()
            off.append(self._slices_off(found, kind.batch.target[number].numpy(), kind, number))
        every = np.concatenate(off)
        return {
            "step": step,
            "kind": kind.name,
            "loss": round(float(np.mean(losses)), 5),
            "accuracy": round(float((every == 0).mean()), 5) if len(every) else "",
            "within_one": round(float((every <= 1).mean()), 5) if len(every) else "",
        }

    @staticmethod
    def _slices_off(
        found: NDArray[Any], target: NDArray[np.float32], kind: _Kind, number: int
    ) -> NDArray[np.intp]:
        where = kind.textured[number]
        return np.asarray(np.abs(found - target.argmax(0))[where])
