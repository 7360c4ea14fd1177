"""The dock widget that corrects the focus map, in a real viewer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_gmff._napari.correcting.correction import CorrectionWidget
from napari_gmff._napari.correcting.correction_session import CorrectionSession
from napari_gmff.corrections import load_corrections
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

TIMEOUT_MS = 20_000


@pytest.fixture
def viewer(qtbot) -> Any:
    """Make a viewer without a window, whose layers are real ones."""
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def widget(qtbot, viewer) -> CorrectionWidget:
    made = CorrectionWidget(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def window(make_napari_viewer) -> Any:
    """Make a viewer with a window that is really shown."""
    return make_napari_viewer(show=True)


def docked(window: Any) -> CorrectionWidget:
    """Open the dock in a window."""
    made = CorrectionWidget(window)
    window.window.add_dock_widget(made, name="Correct focus map")
    return made


def settle(qtbot, session: CorrectionSession) -> None:
    qtbot.waitUntil(lambda: session.is_settled, timeout=TIMEOUT_MS)


def started(qtbot, widget: CorrectionWidget) -> CorrectionSession:
    """Press the first button."""
    widget.start.click()
    settle(qtbot, widget.session)
    return widget.session


def enabled(widget: CorrectionWidget) -> set[str]:
    """Return the titles of the buttons that can be pressed."""
    buttons = widget.findChildren(QPushButton)
    return {button.text().replace("&", "") for button in buttons if button.isEnabled()}


def test_without_a_fusion_it_says_what_to_do(widget) -> None:
    assert "Fuse a stack first" in widget.words
    assert enabled(widget) == set()
    assert widget.session is None


def test_a_fusion_that_comes_and_goes_is_noticed(qtbot, viewer, widget) -> None:
    fused_set(viewer)
    assert enabled(widget) == {"Correct by painting", "Load…"}
    assert widget.words == "Nothing is corrected yet."
    viewer.layers.clear()
    assert enabled(widget) == set()


def test_one_press_and_a_stroke_correct_the_result(qtbot, viewer, widget) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, widget)
    layer = session.layer
    assert viewer.layers.selection.active is layer
    assert str(layer.mode) == "paint"
    widget.slice_box.setValue(2)
    assert layer.selected_label == 3
    assert "Paints slice 2 · z 4 µm." in widget.words
    layer.data_setitem(tuple(np.mgrid[10:40, 10:51].reshape(2, -1)), layer.selected_label)
    settle(qtbot, session)
    assert "1,230 pixels corrected (10.0 %)" in widget.words
    assert (result_set.result.focus_index[10:40, 10:51].compute() == 2).all()
    assert enabled(widget) >= {"Undo", "Reset all", "Save…"}


@pytest.mark.parametrize(
    ("n_pixels", "words"),
    [(1, "1 pixel corrected (less than 0.1 %)"), (12, "12 pixels corrected (0.1 %)")],
)
def test_few_pixels_are_counted_in_words(qtbot, viewer, widget, n_pixels, words) -> None:
    fused_set(viewer)
    session = started(qtbot, widget)
    session.layer.data_setitem((np.arange(n_pixels), np.arange(n_pixels)), 2)
    settle(qtbot, session)
    assert words in widget.words


def test_the_slice_on_screen_is_taken(qtbot, viewer, widget) -> None:
    fused_set(viewer)
    session = started(qtbot, widget)
    viewer.dims.set_point(0, 6.0)
    widget.in_view.click()
    assert session.layer.selected_label == 4
    assert widget.slice_box.value() == 3
    viewer.layers.remove("relief")
    widget.in_view.click()
    assert "shows no slice that was fused" in widget.words
    assert session.layer.selected_label == 4


def test_what_napari_selects_is_shown_too(qtbot, viewer, widget) -> None:
    fused_set(viewer)
    session = started(qtbot, widget)
    session.layer.selected_label = 4
    assert widget.slice_box.value() == 3
    session.layer.mode = "erase"
    assert "get back what the fusion chose" in widget.words
    session.layer.mode = "paint"
    session.layer.selected_label = 50
    assert "No slice 49 was fused" in widget.words


def test_an_area_is_marked_and_filled(qtbot, viewer, widget) -> None:
    fused_set(viewer)
    session = started(qtbot, widget)
    widget.fill.click()
    settle(qtbot, session)
    assert "Mark an area" in widget.words
    widget.mark.click()
    assert "Marks, in green" in widget.words
    session.layer.brush_size = 10
    session.layer.paint((40, 60), session.layer.selected_label)
    widget.fill.click()
    settle(qtbot, session)
    assert not (session.layer.data == session.mark).any()
    assert session.n_corrected == np.count_nonzero(session.layer.data) > 50


def test_undo_redo_and_reset_by_button(qtbot, viewer, widget) -> None:
    fused_set(viewer)
    session = started(qtbot, widget)
    session.layer.paint((40, 60), 2)
    settle(qtbot, session)
    count = session.n_corrected
    for button, expected in (
        (widget.undo, 0),
        (widget.redo, count),
        (widget.reset, 0),
        (widget.undo, count),
    ):
        button.click()
        settle(qtbot, session)
        assert session.n_corrected == expected
    viewer.layers.remove(session.layer)
    settle(qtbot, session)
    assert enabled(widget) == {"Correct by painting", "Load…", "Reset all", "Save…"}
    widget.reset.click()
    settle(qtbot, session)
    assert session.n_corrected == 0


def test_reset_in_view_leaves_what_is_outside_the_canvas(qtbot, window) -> None:
    widget = docked(window)
    fused_set(window, stack_of(textured((4, 200, 200)), voxel_size_um=(2.0, 0.5, 0.5)))
    session = started(qtbot, widget)
    layer = session.layer
    layer.data_setitem((np.array([20, 100, 180]), np.array([20, 100, 180])), 2)
    camera = window.scene.camera if hasattr(window, "scene") else window.camera
    camera.center, camera.zoom = (0, 50.0, 50.0), camera.zoom * 4
    window.screenshot(canvas_only=True, flash=False)
    widget.reset_in_view.click()
    settle(qtbot, session)
    assert np.argwhere(layer.data).tolist() == [[20, 20], [180, 180]]
    assert session.n_corrected == 2


def test_corrections_go_to_a_file_and_come_back(
    qtbot, viewer, widget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused_set(viewer)
    session = started(qtbot, widget)
    session.layer.paint((40, 60), 2)
    settle(qtbot, session)
    named = str(tmp_path / "by hand")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (named, ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (f"{named}.corrections.npz", ""))
    widget.save.click()
    settle(qtbot, session)
    assert "saved to by hand.corrections.npz" in widget.words
    saved = load_corrections(f"{named}.corrections.npz")
    assert saved.n_pixels == session.n_corrected
    viewer.layers.clear()
    fused_set(viewer)
    widget.load.click()
    settle(qtbot, widget.session)
    assert widget.session.n_corrected == saved.n_pixels
    np.testing.assert_array_equal(widget.session.layer.data, saved.labels)


def test_a_cancelled_dialog_changes_nothing(qtbot, viewer, widget, tmp_path, monkeypatch) -> None:
    fused_set(viewer)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    widget.load.click()
    settle(qtbot, widget.session)
    assert widget.session.n_corrected == 0
    assert widget.session.layer is None


def test_a_file_that_exists_is_not_replaced_without_being_asked(
    qtbot, viewer, widget, tmp_path: Path
) -> None:
    from napari.utils.notifications import notification_manager

    fused_set(viewer)
    session = started(qtbot, widget)
    session.layer.paint((40, 60), 2)
    settle(qtbot, session)
    path = tmp_path / "a.npz"
    path.write_text("precious")
    widget.save_to(path)
    settle(qtbot, session)
    assert "already exists" in widget.words
    assert "already exists" in notification_manager.records[-1].message
    assert path.read_text() == "precious"


def test_another_fusion_is_corrected_on_its_own(qtbot, viewer, widget) -> None:
    first = fused_set(viewer)
    one = started(qtbot, widget)
    one.layer.paint((40, 60), 2)
    settle(qtbot, one)
    other_stack = stack_of(textured((6, 64, 64), seed=4), voxel_size_um=(1.0, 0.5, 0.5))
    second = fused_set(viewer, other_stack)
    assert widget.picker.result_set is second
    assert widget.words == "Nothing is corrected yet."
    assert widget.slice_box.maximum() == 5
    two = started(qtbot, widget)
    two.layer.data_setitem((np.array([10]), np.array([10])), 6)
    settle(qtbot, two)
    assert second.result.provenance["corrections"]["by_slice"] == {"5": 1}
    assert first.result.provenance["corrections"]["by_slice"] == {"1": one.n_corrected}
    viewer.layers.selection.active = one.layer
    assert widget.session is one
    assert f"{one.n_corrected} pixels" in widget.words
    assert first.correcting is one


def test_painting_goes_on_after_the_dock_was_closed(qtbot, window) -> None:
    result_set = fused_set(window)
    widget = CorrectionWidget(window)
    dock = window.window.add_dock_widget(widget, name="Correct focus map")
    session = started(qtbot, widget)
    window.window.remove_dock_widget(dock)
    session.layer.paint((40, 60), 2)
    settle(qtbot, session)
    assert result_set.result.provenance["corrections"]["n_pixels"] == session.n_corrected > 0
    assert f"{session.n_corrected} pixels" in docked(window).words


def test_closing_the_viewer_while_a_correction_is_made_leaves_nothing(
    qtbot, window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    widget = docked(window)
    fused_set(window, stack_of(textured((4, 600, 600))))
    widget.start.click()
    widget.session.layer.data_setitem(tuple(np.mgrid[0:600, 0:600].reshape(2, -1)), 2)
    assert list(tmp_path.iterdir())
    window.close()
    qtbot.waitUntil(lambda: not list(tmp_path.iterdir()), timeout=TIMEOUT_MS)


def test_it_fits_a_narrow_dock_and_every_button_has_a_tip_and_a_key(window) -> None:
    widget = docked(window)
    fused_set(window)
    widget.start.click()
    assert widget.minimumSizeHint().width() <= 300
    letters = []
    for button in widget.findChildren(QPushButton):
        assert button.toolTip(), button.text()
        letters += re.findall(r"&(\w)", button.text().lower())
    assert len(letters) == len(widget.findChildren(QPushButton))
    assert len(set(letters)) == len(letters)
