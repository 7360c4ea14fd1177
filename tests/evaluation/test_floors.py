from __future__ import annotations

import math
from typing import Any

import pytest

from napari_gmff.evaluation.board import Board, Row
from napari_gmff.evaluation.columns import standard_columns
from napari_gmff.evaluation.floors import (
    LEAST,
    MOST,
    UNHARMED,
    Check,
    accuracy_lost,
    checks_of,
)
from napari_gmff.evaluation.runners import LAPLACIAN_FINE, LAPLACIAN_SMOOTH
from napari_gmff.evaluation.scoring import METRICS, SceneScores

ENGINES = ["ours", "authors", LAPLACIAN_FINE, LAPLACIAN_SMOOTH]


def board_of(**values: dict[str, dict[str, Any]]) -> Board:
    """Make a board of all columns; ``values[engine][column]`` are scores."""
    board = Board(standard_columns(), list(values))
    for engine, by_column in values.items():
        for column in board.columns:
            if column.name in by_column:
                scores = SceneScores(**by_column[column.name])
                board.rows.append(Row(column.name, 0, engine, "relief", scores, 1.0))
    return board


def one(checks: list[Check], column: str, metric: str, rule: str) -> Check:
    (found,) = (
        check
        for check in checks
        if (check.column, check.metric) == (column, metric) and check.rule.startswith(rule)
    )
    return found


def test_floors_name_columns_and_metrics_that_exist():
    names = {column.name for column in standard_columns()}
    for column, metric, _ in (*LEAST, *MOST):
        assert column in names
        assert metric in METRICS
    assert set(UNHARMED) <= names


@pytest.mark.parametrize(("value", "is_met"), [(0.996, True), (0.9959, False)])
def test_a_least_value_is_met_from_that_value_on(value: float, is_met: bool):
    board = board_of(ours={"fluorescence": {"object_within_one": value}})
    check = one(checks_of(board, "ours"), "fluorescence", "object_within_one", "at least")
    assert check.is_met is is_met
    assert check.value == value


@pytest.mark.parametrize(("value", "is_met"), [(0.35, True), (0.36, False)])
def test_a_most_value_is_met_up_to_that_value(value: float, is_met: bool):
    board = board_of(ours={"recipe + noise": {"psnr_below_truth_db": value}})
    check = one(checks_of(board, "ours"), "recipe + noise", "psnr_below_truth_db", "at most")
    assert check.is_met is is_met


def test_what_was_not_measured_is_neither_met_nor_missed():
    checks = checks_of(board_of(ours={}), "ours")
    assert checks
    assert {check.is_met for check in checks} == {None}
    assert all(math.isnan(check.value) for check in checks)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_met"),
    [(0.9, 0.8, True), (0.8, 0.8, False), (0.7, 0.8, False), (1.0, 1.0, True)],
)
def test_ours_must_be_above_the_references(ours: float, theirs: float, is_met: bool):
    board = board_of(
        ours={"dim": {"object_within_one": ours}}, authors={"dim": {"object_within_one": theirs}}
    )
    checks = checks_of(board, "ours", ["authors"])
    assert one(checks, "dim", "object_within_one", "above authors").is_met is is_met
    assert not any(check.rule.startswith("above") for check in checks_of(board, "ours"))


@pytest.mark.parametrize(("ours", "is_met"), [(0.946, True), (0.944, False)])
def test_ours_must_be_near_the_best_laplacian(ours: float, is_met: bool):
    board = board_of(
        **{
            "ours": {"smear": {"object_within_one": ours}},
            LAPLACIAN_FINE: {"smear": {"object_within_one": 0.7}},
            LAPLACIAN_SMOOTH: {"smear": {"object_within_one": 0.95}},
        }
    )
    check = one(checks_of(board, "ours"), "smear", "object_within_one", "within")
    assert check.is_met is is_met


def test_accuracy_lost_compares_scenes_of_the_same_number():
    board = board_of(
        ours={"relief": {"accuracy": 0.9}, "pairs": {"accuracy": 0.87}, "dim": {"accuracy": 0.1}}
    )
    assert accuracy_lost(board, "pairs", "ours") == pytest.approx(0.03)
    check = one(checks_of(board, "ours"), "pairs", "accuracy lost", "at most")
    assert check.is_met is False
    board.rows = [row for row in board.rows if row.column != "relief"]
    assert math.isnan(accuracy_lost(board, "pairs", "ours"))


def test_confidence_is_asked_of_noisy_columns_alone():
    board = board_of(ours={"2000 photons": {"auroc": 0.89}, "relief": {"auroc": 0.1}})
    checks = [check for check in checks_of(board, "ours") if check.metric == "auroc"]
    assert {check.column for check in checks} == {
        column.name for column in standard_columns() if column.is_noisy
    }
    assert one(checks, "2000 photons", "auroc", "at least").is_met is False
