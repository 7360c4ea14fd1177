"""The scoreboard: every runner on every scene of every column."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_gmff.evaluation.scoring import SceneScores, mean_scores, scores_of

if TYPE_CHECKING:
    from napari_gmff.evaluation.columns import Column
    from napari_gmff.evaluation.runners import Runner


@dataclass(frozen=True)
class Row:
    """Scores of one runner on one scene.

    Attributes
    ----------
    column, engine : str
    scene : int
        Number, from 0.
    plain_column : str
        See `EvaluationScene`.
    scores : SceneScores
    seconds : float
        For fusing it.
    """

    column: str
    scene: int
    engine: str
    plain_column: str
    scores: SceneScores
    seconds: float


@dataclass
class Board:
    """All rows, and means over them.

    Attributes
    ----------
    columns : list of Column
    engines : list of str
        Names of runners, in their order.
    rows : list of Row
    making_s : dict of str to float
        Time spent on making a column's scenes.
    """

    columns: list[Column]
    engines: list[str]
    rows: list[Row] = field(default_factory=list)
    making_s: dict[str, float] = field(default_factory=dict)

    def rows_of(self, column: str, engine: str) -> list[Row]:
        """Return the rows of one cell, by scene."""
        return [row for row in self.rows if (row.column, row.engine) == (column, engine)]

    def mean(self, column: str, engine: str) -> SceneScores:
        """Return the mean over the scenes of one cell."""
        return mean_scores([row.scores for row in self.rows_of(column, engine)])

    def seconds(self, column: str, engine: str) -> float:
        """Return the time an engine took for a column."""
        return sum(row.seconds for row in self.rows_of(column, engine))


def run_board(
    columns: Sequence[Column], runners: Sequence[Runner], n_scenes: int, size_px: int
) -> Iterator[tuple[Board, Column]]:
    """Score every runner on every scene.

    Parameters
    ----------
    columns : sequence of Column
        Kinds of scenes.
    runners : sequence of Runner
        What is scored.
    n_scenes : int
        In each column.
    size_px : int
        Side of the scenes.

    Yields
    ------
    board : Board
        The same object each time, with one more column filled.
    column : Column
        The one just filled.
    """
    board = Board(list(columns), [runner.name for runner in runners])
    for column in columns:
        board.making_s[column.name] = 0.0
        for number in range(n_scenes):
            started = time.perf_counter()
            scene = column.make(number, size_px)
            board.making_s[column.name] += time.perf_counter() - started
            for runner in runners:
                started = time.perf_counter()
                outcome = runner.run(scene, f"{column.name} {number}")
                seconds = time.perf_counter() - started
                board.rows.append(
                    Row(
                        column=column.name,
                        scene=number,
                        engine=runner.name,
                        plain_column=scene.plain_column,
                        scores=scores_of(scene, outcome),
                        seconds=seconds,
                    )
                )
        yield board, column
