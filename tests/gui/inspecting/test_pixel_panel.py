"""A pinned pixel is told with its curves, and with what it would be from another slice."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_gmff._napari.inspecting import pixel_panel as module
from napari_gmff._napari.inspecting.pixel_panel import INTENSITY, SCORE, PixelPanel
from napari_gmff._napari.inspecting.pixel_picker import PixelPicker
from napari_gmff._napari.layers.slice_navigation import slice_in_view
from napari_gmff.errors import SourceError
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    panel = PixelPanel(viewer, PixelPicker(viewer), set())
    qtbot.addWidget(panel)
    return panel


def pin(panel, qtbot, pixel):
    panel.pin(pixel)
    qtbot.waitUntil(lambda: panel.curves is not None and panel.curves.pixel == pixel)


def pick(panel, qtbot, number):
    """Pick a slice in the plot with the keyboard."""
    qtbot.keyClick(panel.plot, Qt.Key.Key_Home)
    for _ in range(number):
        qtbot.keyClick(panel.plot, Qt.Key.Key_Right)


def test_the_curve_shown_is_that_of_the_core(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    for pixel in ((0, 50, 100), (0, 0, 0)):
        pin(panel, qtbot, pixel)
        shown = panel.plot.curves
        np.testing.assert_array_equal(shown.values, [made.result.focus_curve(*pixel[1:])])
        assert shown.chosen == made.result.focus_index.compute()[pixel[1:]]


def test_the_raw_intensities_are_an_option(viewer, panel, qtbot):
    made = fused_set(viewer, stack_of(textured((2, 4, 60, 70)), "CZYX"))
    panel.use(made)
    pin(panel, qtbot, (0, 10, 20))
    panel.kind.setCurrentText(INTENSITY)
    shown = panel.plot.curves
    np.testing.assert_array_equal(shown.values, made.stack.data[0, :, :, 10, 20].compute())
    assert shown.names == ("channel 0", "channel 1")
    panel.kind.setCurrentText(SCORE)
    assert len(panel.plot.curves.values) == 1


def test_facts_of_pin_and_pointer_are_said(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    assert panel.words == "Click a pixel in the image, or enter its row and column."
    panel.show_pointer((0, 50, 100))
    z_um = made.result.z_positions[made.result.focus_index.compute()[50, 100]]
    assert panel.pointer_words.startswith(f"Pointer (50, 100): slice 3 · z {z_um:g} µm · ")
    panel.show_pointer(None)
    assert panel.pointer_words == "Pointer: outside the result"
    panel.pin((0, 50, 100))
    assert panel.words.startswith("Pinned: slice 3 · z 6 µm")


def test_row_and_column_can_be_typed(viewer, panel, qtbot):
    panel.use(fused_set(viewer))
    panel.place.entered.emit(7, 9)
    qtbot.waitUntil(lambda: panel.curves is not None)
    assert panel.pixel == (0, 7, 9)


def test_go_to_slice_moves_the_slider_to_the_pixels_slice(viewer, panel):
    made = fused_set(viewer, z_positions_um=[8.0, 6.0, 4.0, 2.0])
    panel.use(made)
    panel.pin((0, 50, 100))
    assert panel.go.text().replace("&", "") == "Go to slice 3"
    panel.go.click()
    assert slice_in_view(viewer, made) == 3
    assert viewer.dims.point[0] == 2.0


def test_another_slice_shows_what_the_pixel_would_be(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    pin(panel, qtbot, (0, 50, 100))
    pick(panel, qtbot, 1)
    there = made.stack.data[0, 0, 1, 50, 100].compute()
    here = made.result.fused.compute()[50, 100]
    assert f"From slice 1 it would be {there} instead of {here}" in panel.other.words
    assert "z 2 µm instead of 6 µm" in panel.other.words
    assert slice_in_view(viewer, made) == 1
    qtbot.waitUntil(lambda: not panel.other.patches.isHidden())
    assert panel.other.patches.captions == ("as fused", "slice 1")


def test_picking_the_chosen_slice_again_clears_the_comparison(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    pin(panel, qtbot, (0, 50, 100))
    for number in (1, 3):
        pick(panel, qtbot, number)
    qtbot.wait(50)
    assert panel.other.words == ""
    assert panel.other.patches.isHidden()


def test_the_latest_pixel_wins(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    for x in range(0, 120, 10):
        panel.pin((0, 50, x))
    qtbot.waitUntil(lambda: panel.curves is not None)
    qtbot.wait(200)
    assert panel.curves.pixel == panel.pixel == (0, 50, 110)


def test_a_computation_nobody_waits_for_is_told_to_stop(viewer, panel, qtbot, monkeypatch):
    told = []

    def waits(result, pixel, should_stop):
        while not should_stop():
            pass
        told.append(pixel)

    monkeypatch.setattr(module, "curves_of", waits)
    panel.use(fused_set(viewer))
    panel.pin((0, 1, 1))
    assert panel.other.words == ""
    qtbot.waitUntil(lambda: panel.other.words == "Getting the focus curve ready…")
    panel.unpin()
    qtbot.waitUntil(lambda: told == [(0, 1, 1)])
    assert panel.other.words == ""


def test_a_stack_that_cannot_be_read_is_an_error_in_words(viewer, panel, qtbot, monkeypatch):
    from napari.utils.notifications import notification_manager

    def fails(result, pixel, should_stop):
        raise SourceError("relief: slice 2 cannot be read")

    monkeypatch.setattr(module, "curves_of", fails)
    panel.use(fused_set(viewer))
    n_before = len(notification_manager.records)
    panel.pin((0, 1, 1))
    qtbot.waitUntil(lambda: len(notification_manager.records) > n_before)
    assert "slice 2 cannot be read" in notification_manager.records[-1].message
    assert panel.words.startswith("Pinned: slice 0")


def test_a_correction_changes_what_is_said(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    pin(panel, qtbot, (0, 50, 100))
    made.put("focus_index", 0, (slice(50, 51), slice(100, 101)), np.array([[1]], np.uint8))
    panel.refresh()
    assert panel.words.startswith("Pinned: slice 1 · z 2 µm")
    assert panel.plot.curves.chosen == 1
    assert "the engine found slice 3 sharpest" in panel.other.words


def test_the_pin_follows_the_time_point(viewer, panel, qtbot):
    made = fused_set(viewer, stack_of(textured((2, 4, 60, 70)), "TZYX"))
    panel.use(made)
    pin(panel, qtbot, (0, 10, 20))
    viewer.dims.set_point(0, 1)
    panel.follow_time()
    qtbot.waitUntil(lambda: panel.curves is not None)
    assert panel.pixel == (1, 10, 20)
    np.testing.assert_array_equal(panel.curves.scores, made.result.focus_curve(10, 20, 1))


def test_unpin_takes_mark_and_curve_away(viewer, panel, qtbot):
    panel.use(fused_set(viewer))
    n_layers = len(viewer.layers)
    pin(panel, qtbot, (0, 1, 1))
    assert len(viewer.layers) == n_layers + 1
    panel.unpin_button.click()
    assert len(viewer.layers) == n_layers
    assert panel.pixel is None
    assert panel.plot.curves is None
    assert not panel.go.isEnabled()


def test_a_mark_removed_by_hand_unpins(viewer, panel):
    panel.use(fused_set(viewer))
    panel.pin((0, 1, 1))
    viewer.layers.remove("relief pixel")
    panel.follow_layers()
    assert panel.pixel is None


def test_without_the_layer_of_the_stack_the_button_says_why_it_is_off(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    panel.pin((0, 1, 1))
    viewer.layers.remove(made.source_layers[0])
    panel.follow_layers()
    assert not panel.go.isEnabled()
    assert "layer of the stack is not there" in panel.go.toolTip()
