"""Mesh files from the dock."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_gmff._napari.heights import mesh_panel
from napari_gmff._napari.heights.height_map import HeightMap, HeightScale
from napari_gmff._napari.heights.mesh_panel import MeshPanel
from tests.gui.sets import fused_set

TRUE = HeightScale((0.5, 0.5), 1.0)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(qtbot):
    panel = MeshPanel(set())
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def told(monkeypatch):
    """Return what the user is told."""
    words = []
    monkeypatch.setattr(mesh_panel, "show_info", words.append)
    monkeypatch.setattr("napari_gmff._napari.common.notices.show_error", words.append)
    return words


def answer(monkeypatch, path) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
def test_a_mesh_is_written_with_the_true_heights(
    panel, viewer, told, suffix, qtbot, tmp_path, monkeypatch
):
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE), rises=True)
    answer(monkeypatch, tmp_path / "relief")
    panel.buttons[suffix].click()
    assert panel.words == "Writing the mesh …"
    assert not panel.buttons[suffix].isEnabled()
    qtbot.waitUntil(lambda: bool(told))
    path = tmp_path / f"relief{suffix}"
    assert told == [f"Saved {path}"]
    assert panel.buttons[suffix].isEnabled()
    depth = made.result.depth.compute()
    bounds = [[0, -95 * 0.5, depth.min()], [127 * 0.5, 0, depth.max()]]
    np.testing.assert_allclose(trimesh.load_mesh(path).bounds, bounds, atol=1e-4)


def test_larger_z_may_be_lower(panel, viewer, told, qtbot, tmp_path, monkeypatch):
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE), rises=False)
    answer(monkeypatch, tmp_path / "x.stl")
    panel.buttons[".stl"].click()
    qtbot.waitUntil(lambda: bool(told))
    top = trimesh.load_mesh(tmp_path / "x.stl").bounds[1, 2]
    assert top == pytest.approx(-made.result.depth.min().compute(), abs=1e-4)


def test_a_failure_is_told_and_the_buttons_come_back(
    panel, viewer, told, qtbot, tmp_path, monkeypatch
):
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE), rises=True)
    answer(monkeypatch, tmp_path / "no such folder" / "x.stl")
    panel.buttons[".stl"].click()
    qtbot.waitUntil(lambda: bool(told))
    assert "existing folder" in told[0]
    assert panel.buttons[".stl"].isEnabled()


def test_without_sizes_in_um_there_is_no_mesh(panel, viewer):
    made = fused_set(viewer)
    assert not any(button.isEnabled() for button in panel.buttons.values())
    panel.use(made, HeightMap(made.images, 0, HeightScale((0.5, 0.5), None)), rises=True)
    assert not any(button.isEnabled() for button in panel.buttons.values())
    assert "enter the sizes" in panel.words
