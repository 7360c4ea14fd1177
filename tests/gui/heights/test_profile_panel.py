"""Heights along a line, in numbers, as a file and on the clipboard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_gmff._napari.heights.height_map import HeightMap, HeightScale
from napari_gmff._napari.heights.profile_panel import ProfilePanel
from napari_gmff.height_profile import height_profile
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

TRUE = HeightScale((0.5, 0.5), 1.0)
CORNERS = np.array([(20.0, 4.0), (70.0, 120.0)])


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    panel = ProfilePanel(viewer, set())
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def measured(panel, viewer, qtbot):
    """Return the panel with a line over a fusion, and the fusion."""
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE))
    panel.draw.click()
    panel.line.layer.add_lines(CORNERS)
    qtbot.waitUntil(lambda: not panel.is_busy)
    return panel, made


def test_the_plot_shows_what_the_library_measures(measured, qtbot):
    panel, made = measured
    expected = height_profile(made.result.depth, CORNERS, (0.5, 0.5))
    np.testing.assert_allclose(panel.plot.profile.height_um, expected.height_um)
    np.testing.assert_allclose(panel.plot.profile.distance_um, expected.distance_um)
    assert panel.words.startswith(f"Length {expected.length_um:.4g} µm.")
    assert f"{expected.height_difference_um:.4g} µm in height" in panel.words
    panel.width.setValue(9)
    qtbot.waitUntil(lambda: not panel.is_busy)
    wide = height_profile(made.result.depth, CORNERS, (0.5, 0.5), 9)
    np.testing.assert_allclose(panel.plot.profile.height_um, wide.height_um)


def test_the_cursors_measure_between_them(measured):
    panel, _ = measured
    profile = panel.plot.profile
    panel.plot.set_cursors(10, 40)
    rise = profile.height_at(40) - profile.height_at(10)
    assert rise > 0
    assert panel.words_between == f"Between the cursors: 30 µm, +{rise:.4g} µm in height."


def test_moving_the_line_measures_it_again(measured, qtbot):
    panel, _ = measured
    panel.line.layer.data = [np.array([(20.0, 4.0), (20.0, 24.0)])]
    qtbot.waitUntil(lambda: panel.plot.profile.length_um == 10)
    panel.line.layer.selected_data = {0}
    panel.line.layer.remove_selected()
    assert panel.plot.profile is None
    assert panel.words.startswith("Draw a line")
    assert not panel.save.isEnabled()


@pytest.mark.parametrize("typed", ["profile.csv", "profile"])
def test_the_table_is_saved_where_the_user_says(measured, typed, qtbot, tmp_path, monkeypatch):
    panel, _ = measured
    answer = (str(tmp_path / typed), "CSV (*.csv)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: answer)
    panel.save.click()
    qtbot.waitUntil(lambda: not panel.is_busy)
    text = (tmp_path / "profile.csv").read_text(encoding="utf-8")
    assert text == panel.plot.profile.as_table()


def test_a_file_that_the_dialog_did_not_ask_about_is_kept(measured, qtbot, tmp_path, monkeypatch):
    panel, _ = measured
    kept = tmp_path / "profile.csv"
    kept.write_text("precious")
    errors = []
    monkeypatch.setattr("napari_gmff._napari.common.notices.show_error", errors.append)
    answer = (str(tmp_path / "profile"), "CSV (*.csv)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: answer)
    panel.save.click()
    qtbot.waitUntil(lambda: bool(errors))
    assert "already exists" in errors[0]
    assert kept.read_text() == "precious"


def test_a_dialog_that_is_closed_writes_nothing(measured, tmp_path, monkeypatch):
    panel, _ = measured
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))
    panel.save.click()
    assert not panel.is_busy
    assert not list(Path().iterdir())


def test_the_table_is_copied_for_a_spreadsheet(measured):
    panel, _ = measured
    panel.copy.click()
    assert QApplication.clipboard().text() == panel.plot.profile.as_table("\t")


def test_long_lines_are_told_without_exponents(measured, qtbot):
    panel, made = measured
    panel.use(made, HeightMap(made.images, 0, HeightScale((500.0, 500.0), 1000.0)))
    qtbot.waitUntil(lambda: not panel.is_busy)
    assert "e+" not in panel.words + panel.words_between
    assert f"{panel.plot.profile.length_um:.0f} µm" in panel.words


def test_without_sizes_in_um_nothing_is_measured(panel, viewer, qtbot):
    made = fused_set(viewer, stack_of(textured()))
    panel.use(made, HeightMap(made.images, 0, HeightScale((None, None), None)))
    panel.line.draw()
    panel.line.layer.add_lines(CORNERS / 2)
    assert "enter the sizes" in panel.words
    assert panel.plot.profile is None
    panel.use(made, HeightMap(made.images, 0, HeightScale((0.5, 0.5), 2.0)))
    qtbot.waitUntil(lambda: panel.plot.profile is not None)


def test_without_a_fusion_nothing_can_be_drawn(panel):
    assert panel.words.startswith("Draw a line")
    panel.use(None, None)
    assert not panel.draw.isEnabled()
    assert not panel.copy.isEnabled()
