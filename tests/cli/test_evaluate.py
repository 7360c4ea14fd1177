from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from napari_gmff.cli.main import main
from napari_gmff.evaluation.columns import standard_columns
from tests.stacks import random_weights


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "evaluation" / "scenes.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_two_columns_give_a_page_a_table_and_lines_to_read(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "board"
    argv = ["evaluate", "--quick", "-o", str(folder), "--columns", "relief, recipe"]
    assert main([*argv, "--engines", "laplacian-energy"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("relief (2 scenes)") < printed.index("recipe (2 scenes)")
    page = (folder / "evaluation.md").read_text(encoding="utf-8")
    assert '`napari-gmff evaluate --columns "relief, recipe"' in page
    assert str(tmp_path) not in page
    rows = rows_of(folder)
    engines = {row["engine"] for row in rows}
    assert {"true index", "laplacian-energy"} < engines
    assert len(rows) == 2 * 2 * len(engines)
    accuracy = {row["engine"]: float(row["accuracy"]) for row in rows if row["column"] == "recipe"}
    assert accuracy["true index"] == 1 > accuracy["laplacian-energy"] > 0.8


def test_weights_are_scored_and_are_what_others_must_beat(tmp_path: Path) -> None:
    weights = random_weights(tmp_path)
    argv = ["evaluate", "-o", str(tmp_path), "--columns", "recipe", "--scenes", "1"]
    options = ["--size-px", "64", "--engines", "laplacian-energy", "--weights", str(weights)]
    assert main([*argv, *options]) == 0
    accuracy = {row["engine"]: float(row["accuracy"]) for row in rows_of(tmp_path)}
    assert accuracy["laplacian-energy"] > accuracy["random"]
    page = (tmp_path / "evaluation.md").read_text(encoding="utf-8")
    assert "--weights random.safetensors" in page
    assert "above random" in page


def test_the_list_names_every_column_and_runs_nothing(tmp_path: Path, capsys: Any) -> None:
    assert main(["evaluate", "--list", "-o", str(tmp_path / "none")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [one.name for one in standard_columns()]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--columns", "reliefs"], "columns"),
        (["--engines", "best"], "engines"),
        (["--weights", "no-such-model"], "no-such-model"),
        (["--images", "nowhere"], "nowhere"),
        (["--stacks", "nowhere", "--columns", "relief"], "nowhere"),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(
    options: list[str], named: str, tmp_path: Path, capsys: Any
) -> None:
    folder = tmp_path / "board"
    argv = ["evaluate", "-o", str(folder), "--scenes", "1", "--size-px", "64"]
    engines = [] if "--engines" in options else ["--engines", "laplacian-energy"]
    assert main([*argv, *options, *engines]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert not folder.exists()


@pytest.mark.parametrize("options", [["--scenes", "0"], ["--size-px", "32"], ["--scenes", "few"]])
def test_numbers_out_of_range_are_refused(options: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *options])
    assert stopped.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_a_page_of_someone_else_is_never_replaced(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "evaluation.md").write_text("mine")
    assert main(["evaluate", "--quick", "-o", str(tmp_path), "--columns", "relief"]) == 2
    assert "evaluation.md" in capsys.readouterr().err
    assert (tmp_path / "evaluation.md").read_text() == "mine"
