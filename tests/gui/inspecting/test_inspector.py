"""The inspector in a real window: mouse, docks, themes, and what is left behind."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QSlider, QSpinBox, QWidget

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.inspecting.compare_panel import SWIPE
from napari_gmff._napari.inspecting.inspector import FocusInspector
from napari_gmff._napari.inspecting.pixel_facts import facts_of
from napari_gmff._napari.layers.result_sets import result_sets
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved
from tests.gui.sets import fused_set


@pytest.fixture
def model(qapp):
    """Return a viewer without a window, which is quick."""
    return ViewerModel()


@pytest.fixture
def alone(model, qtbot):
    """Return an inspector of that viewer."""
    inspector = FocusInspector(model)
    qtbot.addWidget(inspector)
    inspector.show()
    return inspector


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def inspector(viewer):
    inspector = FocusInspector(viewer)
    viewer.window.add_dock_widget(inspector, name="Focus inspector")
    return inspector


def canvas_of_window():
    """Return the widget that napari draws on, as a user finds it: by looking."""
    found = {
        widget
        for window in QApplication.topLevelWidgets()
        for widget in window.findChildren(QWidget)
        if type(widget).__name__.startswith("CanvasBackend")
    }
    (canvas,) = (widget for widget in found if widget.isVisible())
    return canvas


def canvas_point(viewer, canvas, world_yx):
    """Return where on the canvas a world position is seen."""
    camera = camera_of(viewer)
    y, x = (np.asarray(world_yx) - np.asarray(camera.center[-2:])) * camera.zoom
    return QPoint(round(canvas.width() / 2 + x), round(canvas.height() / 2 + y))


def move(canvas, to, buttons=Qt.MouseButton.NoButton):
    """Move the pointer; Qt's own helper would stop it at the edge of a small screen."""
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(to),
        QPointF(canvas.mapToGlobal(to)),
        Qt.MouseButton.NoButton,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)


def look(qtbot, viewer):
    """Fit the layers into the canvas and return it once it is drawn."""
    viewer.reset_view()
    canvas = canvas_of_window()
    qtbot.wait(50)
    return canvas


def test_without_a_fusion_it_says_what_to_do(model, alone):
    assert "Fuse a stack first" in alone.empty_words
    made = fused_set(model)
    assert alone.empty_words == ""
    assert alone.result_set is made
    for layer in [layer for layers in made.layers.values() for layer in layers]:
        model.layers.remove(layer)
    assert "Fuse a stack first" in alone.empty_words
    assert len(result_sets(model)) == 0


def reopened(model, path, only=None):
    """Open a saved result, or one image of it, in a viewer."""
    for data, kwargs, _ in layers_of_saved(open_saved(path), only):
        model.add_image(data, **kwargs)


def test_a_result_from_disk_shows_what_its_images_say_and_what_needs_the_stack(
    model, alone, qtbot, tmp_path
):
    fresh = ViewerModel()
    made = fused_set(fresh)
    reopened(model, made.result.save(tmp_path / "saved.ome.zarr"))
    assert "Reading" in alone.empty_words
    qtbot.waitUntil(lambda: alone.result_set is not None)
    assert alone.empty_words == ""
    assert "open relief and press Fuse" in alone.needs_stack_words
    alone.pixel.pin((0, 20, 100))
    assert alone.pixel.words == f"Pinned: {facts_of(made, (0, 20, 100)).words}"
    assert not alone.pixel.plot.isVisible()
    assert not alone.pixel.go.isEnabled()
    assert not alone.compare.modes.isEnabled()
    qtbot.waitUntil(lambda: "slices are used" in alone.slices.words)
    qtbot.waitUntil(lambda: "below" in alone.confidence.words)
    alone.confidence.box.setChecked(True)
    assert alone.confidence.overlay is not None
    model.layers.selection.active = None
    fused_set(model)
    qtbot.waitUntil(lambda: alone.result_set is not None)
    assert alone.needs_stack_words == ""
    assert alone.pixel.plot.isVisible()


def test_part_of_a_result_is_told_apart(model, alone, tmp_path):
    fresh = ViewerModel()
    path = fused_set(fresh).result.save(tmp_path / "saved.ome.zarr", images={"depth"})
    reopened(model, path)
    assert "does not hold all images" in alone.empty_words
    assert alone.result_set is None


def test_a_click_in_the_image_pins_the_pixel_under_it(viewer, inspector, qtbot):
    made = fused_set(viewer)
    canvas = look(qtbot, viewer)
    active = viewer.layers.selection.active
    at = canvas_point(viewer, canvas, (10.0, 20.0))
    move(canvas, at)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: inspector.pixel.curves is not None)
    _, y, x = inspector.pixel.pixel
    assert abs(y - 20) <= 1
    assert abs(x - 40) <= 1
    np.testing.assert_array_equal(inspector.pixel.curves.scores, made.result.focus_curve(y, x))
    assert viewer.layers.selection.active is active


def test_hovering_tells_the_pixel_under_the_pointer(viewer, inspector, qtbot):
    fused_set(viewer)
    canvas = look(qtbot, viewer)
    move(canvas, canvas_point(viewer, canvas, (10.0, 60.0)))
    qtbot.waitUntil(lambda: inspector.pixel.pointer_words.startswith("Pointer ("))
    assert ": slice 3 " in inspector.pixel.pointer_words


def test_dragging_the_line_moves_it_and_not_the_canvas(viewer, inspector, qtbot):
    fused_set(viewer)
    inspector.compare.modes.setCurrentText(SWIPE)
    canvas = look(qtbot, viewer)
    center = camera_of(viewer).center
    start, stop = (canvas_point(viewer, canvas, (20.0, x)) for x in (31.75, 15.75))
    move(canvas, start)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 5):
        qtbot.wait(20)  # vispy drops moves that follow each other faster than 10 ms
        move(canvas, start + (stop - start) * step / 4, Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=stop)
    assert inspector.compare.view.fraction == pytest.approx(0.25, abs=0.02)
    assert inspector.compare.slider.value() == pytest.approx(250, abs=20)
    assert camera_of(viewer).center == center
    assert inspector.pixel.pixel is None, "a drag is no click"


def test_a_correction_is_followed(model, alone, qtbot):
    made = fused_set(model)
    qtbot.waitUntil(lambda: "All 4" in alone.slices.words)
    alone.pixel.pin((0, 50, 100))
    place = (slice(0, 96), slice(0, 128))
    made.put("focus_index", 0, place, np.full((96, 128), 1, np.uint8))
    made.corrected.emit(0, place)
    assert "slice 1" in alone.pixel.words
    qtbot.waitUntil(lambda: "0, 2 and 3 are not used" in alone.slices.words)


def test_it_follows_the_layer_that_is_selected(model, alone):
    first, second = fused_set(model), fused_set(model)
    assert alone.result_set is second
    model.layers.selection.active = first.layers["depth"][0]
    assert alone.result_set is first
    model.layers.selection.active = model.layers[0]
    assert alone.result_set is first, "a layer that is no result changes nothing"


def test_closing_the_dock_puts_the_viewer_back(viewer, inspector, qtbot):
    made = fused_set(viewer)
    layers = [(layer, layer.visible) for layer in viewer.layers]
    inspector.pixel.pin((0, 50, 100))
    inspector.confidence.box.setChecked(True)
    inspector.compare.modes.setCurrentText(SWIPE)
    n_drag, n_move = len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)
    viewer.window.remove_dock_widget(inspector)
    assert [(layer, layer.visible) for layer in viewer.layers] == layers
    assert len(viewer.mouse_drag_callbacks) == n_drag - 2  # the picker's and the swipe's
    assert len(viewer.mouse_move_callbacks) == n_move - 1
    made.corrected.emit(0, (slice(0, 1), slice(0, 1)))
    viewer.theme = "light"
    inspector.deleteLater()


def test_a_hidden_dock_leaves_clicks_alone(viewer, inspector, qtbot):
    fused_set(viewer)
    canvas = look(qtbot, viewer)
    dock = inspector.parent()
    dock.hide()
    qtbot.mouseClick(
        canvas, Qt.MouseButton.LeftButton, pos=canvas_point(viewer, canvas, (10.0, 20.0))
    )
    assert inspector.pixel.pixel is None
    dock.show()
    canvas = look(qtbot, viewer)
    qtbot.mouseClick(
        canvas, Qt.MouseButton.LeftButton, pos=canvas_point(viewer, canvas, (10.0, 20.0))
    )
    assert inspector.pixel.pixel is not None


def test_the_viewer_can_be_closed_while_a_curve_is_computed(viewer, inspector):
    fused_set(viewer)
    inspector.pixel.pin((0, 50, 100))
    viewer.close()


def test_it_fits_a_narrow_dock(viewer, inspector, qtbot):
    fused_set(viewer)
    inspector.pixel.pin((0, 50, 100))
    inspector.compare.modes.setCurrentText(SWIPE)
    qtbot.waitUntil(lambda: inspector.pixel.curves is not None)
    assert inspector.widget().minimumSizeHint().width() <= 300


def test_every_control_is_reached_with_the_keyboard(model, alone, qtbot):
    fused_set(model)
    alone.compare.modes.setCurrentText(SWIPE)
    alone.pixel.pin((0, 50, 100))
    wanted = {
        control
        for kind in (QAbstractButton, QComboBox, QSlider, QSpinBox)
        for control in alone.findChildren(kind)
        if control.isVisible() and control.isEnabled()
    }
    wanted |= {alone.pixel.plot, alone.slices.plot}
    reached, widget = set(), alone
    for _ in range(200):
        widget = widget.nextInFocusChain()
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            reached.add(widget)
    assert wanted <= reached
