from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from napari_gmff.evaluation.board import run_board
from napari_gmff.evaluation.columns import Column
from napari_gmff.evaluation.plots import NO_MATPLOTLIB, write_plots
from napari_gmff.evaluation.runners import EngineRunner, TruthRunner
from tests.evaluation.scenes_for_tests import striped_scene


def board():
    column = Column("stripes", "Stripes.", lambda number, size_px: striped_scene(4, size_px))
    engine = EngineRunner("laplacian-energy", {"engine": "laplacian-energy"})
    *_, (board, _) = run_board([column], [TruthRunner(), engine], 1, 32)
    return board


def test_plots_are_pictures_with_captions(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="plots need the extra 'train'")
    notes: list[str] = []
    pictures = write_plots(board(), tmp_path, notes)
    assert notes == []
    assert [name for name, _ in pictures] == ["wrong.png", "confidence.png"]
    for name, _ in pictures:
        with Image.open(tmp_path / name) as image:
            assert image.width > 400


def test_without_matplotlib_plots_are_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    notes: list[str] = []
    assert write_plots(board(), tmp_path, notes) == []
    assert notes == [NO_MATPLOTLIB]
    assert list(tmp_path.iterdir()) == []
