from __future__ import annotations

from pathlib import Path

from PIL import Image

from napari_gmff.evaluation.board import run_board
from napari_gmff.evaluation.columns import Column
from napari_gmff.evaluation.plots import write_plots
from napari_gmff.evaluation.runners import EngineRunner, TruthRunner
from tests.evaluation.scenes_for_tests import striped_scene


def board():
    column = Column("stripes", "Stripes.", lambda number, size_px: striped_scene(4, size_px))
    engine = EngineRunner("laplacian-energy", {"engine": "laplacian-energy"})
    *_, (board, _) = run_board([column], [TruthRunner(), engine], 1, 32)
    return board


def test_plots_are_pictures_with_captions(tmp_path: Path):
    pictures = write_plots(board(), tmp_path)
    assert [name for name, _ in pictures] == ["wrong.png", "confidence.png"]
    for name, _ in pictures:
        with Image.open(tmp_path / name) as image:
            assert image.width > 400
