"""`train`: config in, run folder out; may be stopped and continued at any step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from napari_gmff.errors import WeightsError
from napari_gmff.network.stackmff_v4 import ARCHITECTURE, StackMFFV4
from napari_gmff.training.curves import draw_curves
from napari_gmff.training.data import Batch, training_batches
from napari_gmff.training.loss import focus_loss
from napari_gmff.training.run_folder import STEP_LOG, VALIDATION_LOG, RunFolder
from napari_gmff.training.schedule import MovingAverage, learning_rate
from napari_gmff.training.validation import Validation
from napari_gmff.weights.resolve import resolve_weights

if TYPE_CHECKING:
    from napari_gmff.training.config import TrainConfig
    from napari_gmff.training.synthesis.mixture import Mixture

Report = Callable[[str], None]

_LOG_EVERY_STEPS = 50


@dataclass
class _Timer:
    """Seconds of training, over all the times the run was continued."""

    before_s: float = 0.0
    _since_s: float = field(default_factory=time.perf_counter)

    @property
    def total_s(self) -> float:
        return self.before_s + time.perf_counter() - self._since_s


class Trainer:
    """One training run.

    Parameters
    ----------
    config : TrainConfig
    mixture : Mixture
        Draws the stacks.
    run : RunFolder
        Begun with this config.
    device : torch.device
    n_workers : int
        Processes that make stacks; 0 makes them in this one.
    report : callable
        Is given a line of text now and then.

    Raises
    ------
    SourceError
        If the run's checkpoint cannot be read.
    WeightsError
        If the model to start from is not to be had.
    """

    def __init__(
        self,
        config: TrainConfig,
        mixture: Mixture,
        run: RunFolder,
        device: torch.device,
        *,
        n_workers: int = 1,
        report: Report = print,
    ) -> None:
        self._config, self._mixture, self._run = config, mixture, run
        self._device, self._n_workers, self._report = device, n_workers, report
        torch.manual_seed(config.seed)
        # channels_last halves the time of a step on a CPU.
        network = _first_network(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = network
        self._optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=config.optimiser.learning_rate,
            weight_decay=config.optimiser.weight_decay,
        )
        self.average = MovingAverage(network, config.optimiser.ema_decay)
        self.step = 0
        self._timer = _Timer()
        self._rows: list[dict[str, object]] = []
        self._continue()

    @property
    def hours(self) -> float:
        """Time spent training so far."""
        return self._timer.total_s / 3600

    def run(self, until: int | None = None) -> None:
        """Train to the last step, or until a step; logs and checkpoints are written on the way.

        Parameters
        ----------
        until : int, optional
            Stop before this step, counted from 0, with a checkpoint.

        Raises
        ------
        OutputError
            If the run's folder cannot be written.
        """
        last = self._config.steps if until is None else min(until, self._config.steps)
        if self.step >= last:
            return
        validation = Validation(self._config, self._mixture)
        batches = training_batches(self._config, self._mixture, self.step, self._n_workers)
        while self.step < last:
            started_s = time.perf_counter()
            batch = next(batches)
            waited_s = time.perf_counter() - started_s
            rate, loss, norm = self._train_on(batch.to(self._device))
            self._rows.append(
                {
                    "step": self.step,
                    "loss": round(loss, 5),
                    "learning_rate": f"{rate:.4g}",
                    "gradient_norm": round(norm, 4),
                    "n_slices": batch.seen.shape[1],
                    "side_px": batch.seen.shape[-1],
                    "seconds": round(time.perf_counter() - started_s, 3),
                    "waited_seconds": round(waited_s, 3),
                }
            )
            self.step += 1
            self._keep_records(validation, is_last=self.step == last)

    def averaged_network(self) -> nn.Module:
        """Return the network with averaged weights, in evaluation mode."""
        network = StackMFFV4()
        network.load_state_dict(self.average.state)
        return network.to(self._device).eval()

    def _train_on(self, batch: Batch) -> tuple[float, float, float]:
        optimiser = self._config.optimiser
        rate = learning_rate(self.step, self._config.steps, optimiser)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._config.precision == "bfloat16"
        ):
            logits = self.network(batch.seen)
        loss = focus_loss(logits, batch, self._config.loss.balance_nats)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), optimiser.clip_norm)
        self._optimiser.step()
        self.average.update(self.network, self.step)
        return rate, float(focus_loss(logits.detach(), batch)), float(norm)

    def _keep_records(self, validation: Validation, *, is_last: bool) -> None:
        config = self._config
        if self.step % _LOG_EVERY_STEPS == 0 or is_last:
            self._flush_log()
        if self.step % config.validate_every == 0 or is_last:
            rows = validation.rows(self.averaged_network(), self.step - 1, self._device)
            self._run.append(VALIDATION_LOG, rows)
            draw_curves(self._run)
            self._report("  ".join(f"{row['kind']} {row['within_one']}" for row in rows))
        if self.step % config.checkpoint_every == 0 or is_last:
            self._flush_log()
            self._run.save_checkpoint(self._checkpoint())

    def _flush_log(self) -> None:
        if not self._rows:
            return
        self._run.append(STEP_LOG, self._rows)
        losses = [float(str(row["loss"])) for row in self._rows]
        seconds = [float(str(row["seconds"])) for row in self._rows]
        mean_s = sum(seconds) / len(seconds)
        left_min = (self._config.steps - self.step) * mean_s / 60
        self._report(
            f"step {self.step}/{self._config.steps}  loss {sum(losses) / len(losses):.4f}  "
            f"{mean_s:.2f} s a step, {left_min:.0f} min left"
        )
        self._rows = []

    def _checkpoint(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self._timer.total_s,
            "network": self.network.state_dict(),
            "average": self.average.state,
            "optimiser": self._optimiser.state_dict(),
        }

    def _continue(self) -> None:
        checkpoint = self._run.load_checkpoint()
        if checkpoint is None:
            self._run.forget_after(0)
            return
        self.network.load_state_dict(checkpoint["network"])
        self.average.load(checkpoint["average"])
        self._optimiser.load_state_dict(checkpoint["optimiser"])
        self.step = int(checkpoint["step"])
        self._timer.before_s = float(checkpoint["seconds"])
        self._run.forget_after(self.step)
        self._report(f"continuing at step {self.step} of {self._config.steps}")


def _first_network(config: TrainConfig) -> StackMFFV4:
    network = StackMFFV4()
    if config.init_from is not None:
        state, _ = resolve_weights(config.init_from, ARCHITECTURE)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"{config.init_from}: {error}") from None
    return network
