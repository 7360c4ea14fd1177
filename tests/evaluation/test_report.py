from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from napari_gmff.errors import OutputError
from napari_gmff.evaluation.board import Board, run_board
from napari_gmff.evaluation.columns import Column
from napari_gmff.evaluation.report import (
    Report,
    check_page,
    column_text,
    csv_text,
    page_text,
    write_report,
)
from napari_gmff.evaluation.runners import TRUTH, LaplacianRunner, TruthRunner
from napari_gmff.evaluation.scene import EvaluationScene
from tests.evaluation.scenes_for_tests import striped_scene

REPORT = Report("napari-gmff evaluate", 2, 32, notes=["enfuse left out: not installed"])


def stripes(number: int, size_px: int) -> EvaluationScene:
    return striped_scene(4, size_px) if number else striped_scene(2, size_px)


@pytest.fixture
def board() -> Board:
    columns = [Column("relief", "Stripes.", stripes), Column("dim", "More stripes.", stripes)]
    runners = [TruthRunner(), LaplacianRunner("fine", 0, 1), LaplacianRunner("coarse", 8, 20)]
    *_, (board, _) = run_board(columns, runners, 2, 32)
    return board


def cells(text: str, heading: str, row: str) -> list[str]:
    """Return the cells of a row of the table under a heading."""
    section = text.split(f"{heading}\n", 1)[1]
    line = next(line for line in section.splitlines() if line.startswith(f"| {row}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_board_scores_every_runner_on_every_scene(board: Board):
    assert len(board.rows) == 2 * 2 * 3
    assert board.mean("relief", TRUTH).accuracy == 1
    assert board.mean("relief", "coarse").accuracy < board.mean("relief", "fine").accuracy
    assert [row.scene for row in board.rows_of("dim", "fine")] == [0, 1]


def test_the_best_engine_is_bold_and_the_truth_does_not_compete(board: Board):
    _, truth, fine, coarse = cells(page_text(board, REPORT), "## Overview", "relief")
    assert truth == "1.000"
    assert fine.startswith("**")
    assert not coarse.startswith("**")


def test_the_page_states_date_versions_notes_and_floors(board: Board):
    text = page_text(board, REPORT)
    for part in ("Made on 20", "torch ", "scikit-image ", "enfuse left out", "Stripes."):
        assert part in text
    floor = cells(text, "## Floors", "relief")
    assert floor[1:3] == ["object ±1", "at least 0.998"]
    assert all(cell[-1] in "✓✗" for cell in floor[3:])
    assert "brightfield" not in text


def test_the_csv_has_a_line_for_every_scene_and_empty_cells_for_the_unknown(board: Board):
    lines = list(csv.DictReader(io.StringIO(csv_text(board))))
    assert len(lines) == len(board.rows)
    assert lines[0]["engine"] == TRUTH
    assert float(lines[0]["accuracy"]) == 1
    assert lines[0]["auroc"] == ""


def test_the_terminal_gets_a_line_for_each_engine(board: Board):
    lines = column_text(board, "dim").splitlines()
    assert [line.split()[0] for line in lines] == ["true", "fine", "coarse"]


def test_a_report_is_replaced_and_other_files_are_not(board: Board, tmp_path: Path):
    folder = tmp_path / "docs"
    page = write_report(board, REPORT, folder)
    check_page(folder)
    write_report(board, REPORT, folder)
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        *("evaluation.md", "scenes.csv")
    ]
    page.write_text("# My own notes")
    with pytest.raises(OutputError, match=r"evaluation\.md: was not written by"):
        check_page(folder)
