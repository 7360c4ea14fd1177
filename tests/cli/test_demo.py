from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff import demo, open_result
from napari_gmff.cli.main import main
from napari_gmff.params import DEFAULT_ENGINE
from napari_gmff.scenes import relief_scene
from napari_gmff.weights.shipped_models import SHIPPED_NAME
from tests.stacks import random_weights


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to reach another machine fail."""

    def refuse(*_args: object) -> None:
        raise AssertionError("the demo must work offline")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("_offline")
def test_the_demo_prints_scores_and_writes_a_picture_again_and_again(
    tmp_path: Path, capsys: Any
) -> None:
    from PIL import Image

    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for word in ("PSNR", "focus accuracy", "depth error", "AUROC", "demo.png", "demo.ome.zarr"):
        assert word in printed.out
    assert sorted(path.name for path in folder.iterdir()) == ["demo.ome.zarr", "demo.png"]
    picture = (folder / "demo.png").read_bytes()
    with Image.open(folder / "demo.png") as image:
        pixels = np.asarray(image)
        assert image.width > 3 * 400
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500
    with open_result(folder / "demo.ome.zarr") as result:
        assert result.fused.shape == (768, 768)
        assert result.depth_unit == "µm"

    assert main(["demo", "-o", str(folder), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["engine"] == DEFAULT_ENGINE
    assert scores["confidence_auroc"] >= 0.85
    assert scores["accuracy"] > 0.95
    assert scores["psnr_db"] > scores["slice_psnr_db"] + 10
    assert scores["psnr_db"] <= scores["best_psnr_db"]
    assert scores["depth_error_um"] <= 0.6 * scores["unrefined_error_um"]
    assert (folder / "demo.png").read_bytes() == picture


def test_the_demo_takes_another_engine(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "demo_scene", lambda: relief_scene(64, 3))
    for flags, engine, weights in (
        (["--engine", "laplacian-energy"], "laplacian-energy", None),
        (["--weights", str(random_weights(tmp_path))], "stackmff-v4", "random"),
    ):
        assert main(["demo", "-o", str(tmp_path / "demo"), "--json", *flags]) == 0
        scores = json.loads(capsys.readouterr().out)
        assert (scores["engine"], scores["weights"]) == (engine, weights)
    assert main(["demo", "-o", str(tmp_path / "demo"), *flags]) == 0
    assert "fused with stackmff-v4 (random), " in capsys.readouterr().out


@pytest.mark.usefixtures("_offline", "shipped_folder")
def test_the_demo_of_a_blend_scores_its_pixels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(demo, "demo_scene", lambda: relief_scene(96, 4))
    flags = ["--engine", "laplacian-pyramid"]
    assert main(["demo", "-o", str(tmp_path / "demo"), "--json", *flags]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["psnr_db"] > scores["slice_psnr_db"] + 3
    assert scores["accuracy"] is None
    assert main(["demo", "-o", str(tmp_path / "demo"), *flags]) == 0
    assert "computed, not copied" in capsys.readouterr().out
    assert (tmp_path / "demo" / "demo.png").is_file()


def test_the_packages_own_weights_win_the_demo_offline(tmp_path: Path, capsys: Any) -> None:
    scores = {}
    for engine in ("laplacian-energy", "stackmff-v4"):
        assert main(["demo", "-o", str(tmp_path / "demo"), "--json", "--engine", engine]) == 0
        scores[engine] = json.loads(capsys.readouterr().out)
    ours = scores["stackmff-v4"]
    assert ours["weights"] == SHIPPED_NAME
    assert ours["within_one"] >= scores["laplacian-energy"]["within_one"] - 0.001
    assert ours["accuracy"] > 0.96


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in (file, tmp_path / "no" / "demo"):
        assert main(["demo", "-o", str(folder)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(folder) in line
    assert file.read_text() == "mine"


def test_a_demo_that_fails_leaves_no_folder(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "demo_scene", lambda: relief_scene(64, 3))
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder), "--weights", "no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err
    assert not folder.exists()
    folder.mkdir()
    assert main(["demo", "-o", str(folder), "--weights", "no-such-model"]) == 2
    assert folder.is_dir()
