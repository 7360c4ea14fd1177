"""The report: Markdown for people and CSV of every scene."""

from __future__ import annotations

import csv
import io
import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError
from napari_gmff.evaluation.floors import Check, checks_of
from napari_gmff.evaluation.runners import ENFUSE, LAPLACIAN_FINE, LAPLACIAN_SMOOTH, TRUTH
from napari_gmff.evaluation.scoring import METRICS
from napari_gmff.export.atomic import staging

if TYPE_CHECKING:
    from napari_gmff.evaluation.board import Board

MARKER = "<!-- Written by `napari-gmff evaluate`; changes by hand are lost. -->"
PAGE = "evaluation.md"
FILES = "evaluation"
TABLE = "scenes.csv"

_TITLES = {
    "psnr_db": "PSNR (dB)",
    "ssim": "SSIM",
    "psnr_below_truth_db": "below true index (dB)",
    "accuracy": "accuracy",
    "within_one": "±1",
    "object_accuracy": "object accuracy",
    "object_within_one": "object ±1",
    "depth_error_slices": "depth MAE (slices)",
    "auroc": "AUROC",
    "object_auroc": "object AUROC",
}
_LESS_IS_BETTER = ("psnr_below_truth_db", "depth_error_slices")
_NOT_JUDGED = (TRUTH, LAPLACIAN_FINE, LAPLACIAN_SMOOTH, ENFUSE)
"""What engines are held against, not to floors."""

_PACKAGES = ("napari-gmff", "numpy", "scipy", "scikit-image", "torch")


@dataclass(frozen=True)
class Report:
    """What goes into the page beside the board itself.

    Attributes
    ----------
    command : str
        That made it, without machine paths.
    n_scenes, size_px : int
    references : sequence of str
        Engines whose floors are "above these": the weights that were given.
    notes : list of str
        What was left out and why.
    pictures : list of (str, str)
        File name in the folder of files, and its caption.
    """

    command: str
    n_scenes: int
    size_px: int
    references: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)


def check_page(folder: Path) -> None:
    """Check that the page may be written into a folder.

    Raises
    ------
    OutputError
        If there is a page that this program did not write.
    """
    page = folder / PAGE
    if not os.path.lexists(page):
        return
    try:
        ours = MARKER in page.read_text(encoding="utf-8")
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise OutputError(f"{page}: was not written by 'napari-gmff evaluate', not replaced")


def write_report(board: Board, report: Report, folder: Path) -> Path:
    """Write the table of all scenes, then the page; each appears whole or not at all.

    Returns
    -------
    Path
        The page.
    """
    files = folder / FILES
    files.mkdir(parents=True, exist_ok=True)
    write_text(files / TABLE, csv_text(board))
    page = folder / PAGE
    write_text(page, page_text(board, report))
    return page


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with staging(path, overwrite=True, is_file=True) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def csv_text(board: Board) -> str:
    """Return one line for each engine and scene."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["column", "scene", "engine", *METRICS, "seconds"])
    for row in board.rows:
        values = [getattr(row.scores, metric) for metric in METRICS]
        cells = ["" if math.isnan(value) else f"{value:.6g}" for value in values]
        writer.writerow([row.column, row.scene, row.engine, *cells, f"{row.seconds:.3f}"])
    return target.getvalue()


def page_text(board: Board, report: Report) -> str:
    """Return the page in Markdown."""
    parts = [
        MARKER,
        "# Evaluation",
        _preface(report),
        "\n".join(f"- {note}" for note in report.notes),
        _overview(board),
        _metric_section(board, "psnr_db", "PSNR (dB) of the fused image", ".2f"),
        _metric_section(board, "ssim", "SSIM of the fused image", ".4f"),
        _metric_section(board, "auroc", "Confidence: AUROC over all pixels", ".3f"),
        _floor_section(board, report.references),
        _column_sections(board),
        _time_section(board),
        "\n\n".join(f"![{text}]({FILES}/{name})" for name, text in report.pictures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _preface(report: Report) -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"Made on {date.today().isoformat()} by `{report.command}` with {versions} and Python "
        f"{platform.python_version()} on {platform.machine()} with {os.cpu_count()} processor "
        f"cores. Every column has {report.n_scenes} scenes of at most {report.size_px} px with "
        "fixed seeds, 12 slices where nothing else is said; figures are means over scenes. "
        "Engines run with default parameters. The true index stands for an engine that knows the "
        f"slice nearest to the true depth of every pixel. All scenes: [{TABLE}]({FILES}/{TABLE})."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _overview(board: Board) -> str:
    rows = []
    for column in board.columns:
        metric = column.main_metric
        cells = _cells(board, column.name, metric, ".3f")
        rows.append([f"{column.name} ({_TITLES[metric]})", *cells])
    text = (
        "Object ±1: fraction of pixels of objects or texture whose slice is at most one off. "
        "Accuracy: fraction of all pixels that have a depth whose slice is the right one. "
        "The best engine is bold."
    )
    return f"## Overview\n\n{text}\n\n{markdown_table(['column', *board.engines], rows)}"


def _metric_section(board: Board, metric: str, title: str, spec: str) -> str:
    rows = [[one.name, *_cells(board, one.name, metric, spec)] for one in board.columns]
    return f"## {title}\n\n{markdown_table(['column', *board.engines], rows)}"


def _cells(board: Board, column: str, metric: str, spec: str) -> list[str]:
    values = {name: getattr(board.mean(column, name), metric) for name in board.engines}
    rivals = [value for name, value in values.items() if name != TRUTH and not math.isnan(value)]
    best: Callable[[list[float]], float] = min if metric in _LESS_IS_BETTER else max
    winner = format(best(rivals), spec) if rivals else ""
    cells = []
    for name, value in values.items():
        text = "–" if math.isnan(value) else format(value, spec)
        cells.append(f"**{text}**" if text == winner and name != TRUTH else text)
    return cells


def _floor_section(board: Board, references: Sequence[str]) -> str:
    engines = [name for name in board.engines if name not in _NOT_JUDGED]
    by_engine = {name: _by_place(checks_of(board, name, references)) for name in engines}
    places = list(dict.fromkeys(place for checks in by_engine.values() for place in checks))
    names = {column.name for column in board.columns}
    rows = []
    for place in places:
        if place[0] not in names:
            continue
        cells = [_check_cell(by_engine[name].get(place)) for name in engines]
        rows.append([place[0], _TITLES.get(place[1], place[1]), place[2], *cells])
    if not rows:
        return ""
    table = markdown_table(["column", "metric", "floor", *engines], rows)
    return f"## Floors\n\nWhat the default engine has to reach; ✓ met, ✗ missed.\n\n{table}"


def _by_place(checks: list[Check]) -> dict[tuple[str, str, str], Check]:
    return {(check.column, check.metric, check.rule): check for check in checks}


def _check_cell(check: Check | None) -> str:
    if check is None or check.is_met is None:
        return "–"
    return f"{check.value:.4g} {'✓' if check.is_met else '✗'}"


def _column_sections(board: Board) -> str:
    sections = ["## Every column"]
    for column in board.columns:
        rows = []
        for name in board.engines:
            mean = board.mean(column.name, name)
            values = [getattr(mean, metric) for metric in METRICS]
            rows.append([name, *("–" if math.isnan(one) else f"{one:.4g}" for one in values)])
        titles = ["engine", *(_TITLES[metric] for metric in METRICS)]
        sections.append(f"### {column.name}\n\n{column.sentence}\n\n{markdown_table(titles, rows)}")
    return "\n\n".join(sections)


def _time_section(board: Board) -> str:
    rows = []
    for column in board.columns:
        seconds = [f"{board.seconds(column.name, name):.1f}" for name in board.engines]
        rows.append([column.name, f"{board.making_s[column.name]:.1f}", *seconds])
    table = markdown_table(["column", "making the scenes", *board.engines], rows)
    return f"## Time\n\nSeconds for all scenes of a column.\n\n{table}"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    lines.extend(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join(lines)


def column_text(board: Board, column: str) -> str:
    """Return one column for the terminal, an engine to a line."""
    width = max(map(len, board.engines))
    lines = []
    for name in board.engines:
        mean = board.mean(column, name)
        shown = ("psnr_db", "accuracy", "within_one", "object_within_one", "auroc")
        cells = (f"{_TITLES[metric]} {getattr(mean, metric):.4g}" for metric in shown)
        seconds = board.seconds(column, name)
        lines.append(f"  {name:{width}}  {', '.join(cells)}, {seconds:.1f} s")
    return "\n".join(lines)
