"""What the default engine must reach, as data, and whether an engine does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_gmff.evaluation.columns import ACCURACY, OBJECTS
from napari_gmff.evaluation.runners import LAPLACIAN_FINE, LAPLACIAN_SMOOTH
from napari_gmff.params import CLASSICAL_ENGINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_gmff.evaluation.board import Board

CLASSICAL = (LAPLACIAN_FINE, LAPLACIAN_SMOOTH, CLASSICAL_ENGINE)
"""Engines of which the best must not be better by more than `CLASSICAL_MARGIN`."""
CLASSICAL_MARGIN = 0.005

LEAST = (
    ("fluorescence", OBJECTS, 0.996),
    ("haze", OBJECTS, 0.996),
    ("2000 photons", OBJECTS, 0.985),
    ("200 photons + haze", OBJECTS, 0.975),
    ("dim", OBJECTS, 0.987),
    ("relief", OBJECTS, 0.998),
    ("brightfield", OBJECTS, 0.985),
    ("smear", OBJECTS, 0.90),
    ("recipe", ACCURACY, 0.952),
    ("recipe", "psnr_db", 49.8),
    ("recipe + noise", "within_one", 0.998),
)
"""Column, metric, and the least mean over its scenes."""

MOST = (("recipe + noise", "psnr_below_truth_db", 0.35),)
"""The same where less is better."""

UNHARMED = ("pairs", "unordered", "distractors")
"""Columns whose accuracy may be at most `UNHARMED_MARGIN` below that of the plain scenes."""
UNHARMED_MARGIN = 0.02

LEAST_AUROC = 0.90
"""Of confidence, over all pixels, in noisy columns."""


@dataclass(frozen=True)
class Check:
    """One floor and how an engine stands to it.

    Attributes
    ----------
    column, metric : str
    rule : str
        Such as "at least 0.996".
    value : float
        NaN where it was not measured.
    is_met : bool or None
        None where it was not measured.
    """

    column: str
    metric: str
    rule: str
    value: float
    is_met: bool | None


def checks_of(board: Board, engine: str, references: Sequence[str] = ()) -> list[Check]:
    """Hold an engine to every floor.

    Parameters
    ----------
    board : Board
        With all columns filled.
    engine : str
        Which to judge.
    references : sequence of str
        Engines that it must be above in every column, such as the authors' weights.
    """
    return [
        *_absolute(board, engine),
        *_above_references(board, engine, references),
        *_near_classical(board, engine),
        *_unharmed(board, engine),
        *_confidence(board, engine),
    ]


def _absolute(board: Board, engine: str) -> list[Check]:
    checks = []
    for column, metric, least in LEAST:
        value = getattr(board.mean(column, engine), metric)
        checks.append(_check(column, metric, f"at least {least:g}", value, value >= least))
    for column, metric, most in MOST:
        value = getattr(board.mean(column, engine), metric)
        checks.append(_check(column, metric, f"at most {most:g}", value, value <= most))
    return checks


def _above_references(board: Board, engine: str, references: Sequence[str]) -> list[Check]:
    checks = []
    for reference in references:
        if reference == engine:
            continue
        for column in board.columns:
            metrics = [column.main_metric]
            if column.name.startswith("recipe"):
                metrics.append("psnr_db")
            for metric in metrics:
                value = getattr(board.mean(column.name, engine), metric)
                other = getattr(board.mean(column.name, reference), metric)
                rule = f"above {reference}, {other:.4g}"
                # Nothing is above a perfect score.
                above = value > other or value == other == 1.0
                checks.append(_check(column.name, metric, rule, value, above))
    return checks


def _near_classical(board: Board, engine: str) -> list[Check]:
    present = [name for name in CLASSICAL if name in board.engines]
    checks = []
    for column in board.columns if present else ():
        metric = column.main_metric
        best = max(getattr(board.mean(column.name, name), metric) for name in present)
        value = getattr(board.mean(column.name, engine), metric)
        rule = f"within {CLASSICAL_MARGIN:g} of the best Laplacian, {best:.4g}"
        checks.append(_check(column.name, metric, rule, value, value >= best - CLASSICAL_MARGIN))
    return checks


def _unharmed(board: Board, engine: str) -> list[Check]:
    checks = []
    for column in UNHARMED:
        value = accuracy_lost(board, column, engine)
        rule = f"at most {UNHARMED_MARGIN:g} below the plain scenes"
        checks.append(_check(column, "accuracy lost", rule, value, value <= UNHARMED_MARGIN))
    return checks


def _confidence(board: Board, engine: str) -> list[Check]:
    checks = []
    for column in board.columns:
        if column.is_noisy:
            value = board.mean(column.name, engine).auroc
            rule = f"at least {LEAST_AUROC:g}"
            checks.append(_check(column.name, "auroc", rule, value, value >= LEAST_AUROC))
    return checks


def accuracy_lost(board: Board, column: str, engine: str) -> float:
    """Return how much accuracy a column's disturbance costs against the plain scenes.

    Returns
    -------
    float
        Mean over scenes, negative where accuracy is higher; NaN if the plain columns are missing.
    """
    losses = []
    for row in board.rows_of(column, engine):
        plain = [one for one in board.rows_of(row.plain_column, engine) if one.scene == row.scene]
        if not plain:
            return math.nan
        losses.append(plain[0].scores.accuracy - row.scores.accuracy)
    return sum(losses) / len(losses) if losses else math.nan


def _check(column: str, metric: str, rule: str, value: float, is_met: bool) -> Check:
    return Check(column, metric, rule, value, None if math.isnan(value) else is_met)
