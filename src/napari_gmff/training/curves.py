"""The curves of a training run as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.training.run_folder import CURVES, STEP_LOG, VALIDATION_LOG, RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

_SMOOTHING_STEPS = 100


def draw_curves(run: RunFolder) -> Path | None:
    """Draw loss, validation and learning rate into ``curves.png`` of the run's folder.

    Returns
    -------
    Path or None
        The picture; None where nothing was logged.
    """
    steps = run.rows(STEP_LOG)
    if not steps:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    loss_axes, score_axes, rate_axes = figure.subplots(1, 3)
    _draw_loss(loss_axes, steps)
    _draw_validation(score_axes, run.rows(VALIDATION_LOG))
    rate_axes.plot(_column(steps, "step"), _column(steps, "learning_rate"))
    rate_axes.set(title="learning rate", xlabel="step")
    path = run.path / CURVES
    figure.savefig(path, dpi=110)
    return path


def _column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name] or "nan") for row in rows])


def _draw_loss(axes: Axes, steps: list[dict[str, str]]) -> None:
    loss = _column(steps, "loss")
    width = min(_SMOOTHING_STEPS, len(loss))
    smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
    axes.plot(_column(steps, "step"), loss, alpha=0.2)
    axes.plot(_column(steps, "step")[width - 1 :], smooth, color="C0")
    axes.set(title="training loss (nats)", xlabel="step", yscale="log")


def _draw_validation(axes: Axes, rows: list[dict[str, str]]) -> None:
    for kind in sorted({row["kind"] for row in rows}):
        own = [row for row in rows if row["kind"] == kind]
        axes.plot(_column(own, "step"), 1 - _column(own, "within_one"), label=kind)
    axes.set(title="validation: wrong by more than one slice", xlabel="step", yscale="log")
    if rows:
        axes.legend(fontsize="small")
