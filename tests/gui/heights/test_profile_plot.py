"""The plot of heights and its cursors."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backend_bases import MouseButton, MouseEvent
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_gmff._napari.heights.profile_plot import ProfilePlot
from napari_gmff.height_profile import HeightProfile, height_profile


@pytest.fixture
def plot(qtbot):
    plot = ProfilePlot(ViewerModel())
    qtbot.addWidget(plot)
    plot.resize(280, 170)
    return plot


def profile(length_px: int = 40) -> HeightProfile:
    """Return heights of 2 µm per µm of distance."""
    x = np.tile(np.arange(100.0), (20, 1))
    return height_profile(x, [(10, 5), (10, 5 + length_px)], (0.5, 0.5))


def mouse(plot: ProfilePlot, kind: str, at_um: float) -> None:
    """Send an event of the mouse at a distance along the line."""
    (axes,) = plot.figure.axes
    x, y = axes.transData.transform((at_um, np.mean(axes.get_ylim())))
    event = MouseEvent(kind, plot, x, y, MouseButton.LEFT)
    plot.callbacks.process(kind, event)


def test_the_heights_are_plotted_with_cursors_at_the_ends(plot):
    shown = profile()
    plot.show_profile(shown)
    (axes,) = plot.figure.axes
    line = axes.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), shown.distance_um)
    np.testing.assert_array_equal(line.get_ydata(), shown.height_um)
    assert plot.cursors_um == (0, 20)
    assert "µm" in axes.get_xlabel()
    assert "µm" in axes.get_ylabel()


def test_the_nearer_cursor_is_dragged_within_the_line(plot):
    plot.show_profile(profile())
    moved = []
    plot.cursors_moved.connect(lambda: moved.append(plot.cursors_um))
    mouse(plot, "button_press_event", 4)
    mouse(plot, "motion_notify_event", 9)
    mouse(plot, "button_release_event", 9)
    mouse(plot, "motion_notify_event", 15)
    np.testing.assert_allclose(plot.cursors_um, (9, 20))
    assert len(moved) == 2
    plot.set_cursors(-7, 99)
    assert plot.cursors_um == (0, 20)


def test_cursors_move_with_the_keyboard(plot, qtbot):
    plot.show_profile(profile())
    qtbot.keyClick(plot, Qt.Key.Key_Left)
    assert plot.cursors_um == (0, 19.5)
    qtbot.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert plot.cursors_um == (0, 14.5)
    qtbot.keyClick(plot, Qt.Key.Key_Up)
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert plot.cursors_um == (0.5, 14.5)


def test_cursors_stay_where_they_are_while_the_line_keeps_its_length(plot):
    plot.show_profile(profile())
    plot.set_cursors(3, 8)
    plot.show_profile(profile())
    assert plot.cursors_um == (3, 8)
    plot.show_profile(profile(60))
    assert plot.cursors_um == (0, 30)


def test_flat_and_unknown_heights_are_plotted_without_a_warning(plot):
    flat = height_profile(np.full((20, 100), 7.0), [(10, 5), (10, 45)], (0.5, 0.5))
    plot.show_profile(flat)
    assert plot.figure.axes[0].get_ylim() == (6, 8)
    nothing = height_profile(np.full((20, 100), np.nan), [(10, 5), (10, 45)], (0.5, 0.5))
    plot.show_profile(nothing)
    plot.draw()


def test_empty_axes_take_no_input(plot, qtbot):
    mouse(plot, "button_press_event", 0.5)
    qtbot.keyClick(plot, Qt.Key.Key_Left)
    assert plot.profile is None
    assert plot.cursors_um == (0, 0)
