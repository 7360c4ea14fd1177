"""Plots of the board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.evaluation.runners import TRUTH
from napari_gmff.export.atomic import staging

if TYPE_CHECKING:
    from napari_gmff.evaluation.board import Board

_LEAST_WRONG = 1e-4
"""Left end of the logarithmic axis; a perfect score stands there."""


def write_plots(board: Board, folder: Path) -> list[tuple[str, str]]:
    """Write the plots as PNG files.

    Parameters
    ----------
    board : Board
        With all columns filled.
    folder : Path
        Existing folder.

    Returns
    -------
    list of (str, str)
        File name and caption of each plot.
    """
    wrong = {
        column.name: {
            name: 1 - getattr(board.mean(column.name, name), column.main_metric)
            for name in board.engines
        }
        for column in board.columns
    }
    missed = {
        column.name: {name: 1 - board.mean(column.name, name).auroc for name in board.engines}
        for column in board.columns
    }
    _dots(wrong, "fraction of wrong pixels (1 - the column's metric)", folder / "wrong.png")
    _dots(missed, "1 - AUROC of confidence over all pixels", folder / "confidence.png")
    return [
        ("wrong.png", "Fraction of wrong pixels by column and engine, less is better"),
        ("confidence.png", "What confidence misses by column and engine, less is better"),
    ]


def _dots(values: dict[str, dict[str, float]], title: str, path: Path) -> None:
    """Draw one row for each column and one mark for each engine, on a logarithmic axis."""
    # The object interface: pyplot would choose a window system, and keep what it draws.
    from matplotlib.figure import Figure

    columns = list(values)
    engines = [name for name in next(iter(values.values()), {}) if name != TRUTH]
    figure = Figure(figsize=(8, 1.6 + 0.36 * len(columns)), layout="constrained")
    axes: Any = figure.add_subplot()
    markers = "osD^vP*X<>"
    for number, engine in enumerate(engines):
        shown = np.array([values[column][engine] for column in columns])
        if np.isnan(shown).all():
            continue
        axes.plot(
            np.maximum(shown, _LEAST_WRONG),
            np.arange(len(columns)),
            markers[number % len(markers)],
            label=engine,
            alpha=0.8,
        )
    axes.set_xscale("log")
    axes.set_xlim(_LEAST_WRONG / 1.5, 1.0)
    axes.set_yticks(np.arange(len(columns)), columns)
    axes.invert_yaxis()
    axes.grid(axis="both", alpha=0.3)
    axes.set_xlabel(title)
    if axes.get_lines():
        figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    with staging(path, overwrite=True, is_file=True) as partial:
        figure.savefig(partial, format="png", dpi=110)
