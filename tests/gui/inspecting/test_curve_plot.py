"""The plot shows the curves, marks the chosen slice, and lets another be picked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt

from napari_gmff._napari.inspecting.curve_plot import CurvePlot, PlottedCurves

NUMBERS = np.arange(3, 9)


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def plot(viewer, qtbot):
    plot = CurvePlot(viewer)
    qtbot.addWidget(plot)
    plot.resize(280, 170)
    plot.show()
    return plot


def scores(chosen=5):
    values = np.array([[0.0, 2.0, 7.0, 3.0, -np.inf, 1.0]], np.float32)
    return PlottedCurves(NUMBERS, values, ("focus score",), chosen)


def lines(plot):
    return plot.figure.axes[0].get_lines()


def click(plot, qtbot, number):
    """Click above a slice of the plot."""
    axes = plot.figure.axes[0]
    x, y = axes.transData.transform((number, np.mean(axes.get_ylim())))
    ratio = plot.device_pixel_ratio
    at = plot.rect().topLeft()
    at.setX(round(x / ratio))
    at.setY(round(plot.height() - y / ratio))
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=at)


def test_every_slice_is_plotted_and_what_is_not_finite_is_left_out(plot):
    plot.show_curves(scores())
    curve = next(line for line in lines(plot) if len(line.get_xdata()) == len(NUMBERS))
    np.testing.assert_array_equal(curve.get_xdata(), NUMBERS)
    np.testing.assert_array_equal(curve.get_ydata(), [0, 2, 7, 3, np.nan, 1])


def test_the_axis_fits_what_is_plotted_now(plot):
    plot.show_curves(scores())
    plot.show_curves(PlottedCurves(NUMBERS, np.array([[500.0] * 5 + [600.0]]), ("grey",), 4))
    low, high = plot.figure.axes[0].get_ylim()
    assert low > 490
    assert high < 610


def test_the_chosen_slice_is_marked(plot):
    plot.show_curves(scores(chosen=5))
    marks = [line for line in lines(plot) if len(line.get_xdata()) == 1]
    assert [(mark.get_xdata()[0], mark.get_ydata()[0]) for mark in marks] == [(5, 7)]


def test_a_click_picks_the_nearest_slice(plot, qtbot):
    plot.show_curves(scores())
    for number in (3, 8, 6):
        with qtbot.waitSignal(plot.slice_picked) as told:
            click(plot, qtbot, number + 0.3)
        assert told.args == [number]
        assert plot.picked == number


def test_the_arrow_keys_go_from_slice_to_slice(plot, qtbot):
    plot.show_curves(scores(chosen=5))
    told = []
    plot.slice_picked.connect(told.append)
    for key in ("Right", "Right", "Left", "End", "Right", "Home", "Left"):
        qtbot.keyClick(plot, getattr(Qt.Key, f"Key_{key}"))
    assert told == [6, 7, 6, 8, 8, 3, 3]


def test_without_a_curve_nothing_can_be_picked(plot, qtbot):
    with qtbot.assertNotEmitted(plot.slice_picked):
        click(plot, qtbot, 0.5)
        qtbot.keyClick(plot, Qt.Key.Key_Right)


def test_channels_are_named(plot):
    values = np.arange(12.0).reshape(2, 6)
    plot.show_curves(PlottedCurves(NUMBERS, values, ("DAPI", "GFP"), 4))
    legend = plot.figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["DAPI", "GFP"]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_plot_has_the_colours_of_the_theme(plot, viewer, theme):
    plot.show_curves(scores())
    viewer.theme = "light" if theme == "dark" else "dark"
    viewer.theme = theme
    expected = get_theme(theme).background.as_hex(format="long")
    assert to_hex(plot.figure.get_facecolor()) == expected
    text = to_hex(plot.figure.axes[0].xaxis.label.get_color())
    assert text == get_theme(theme).text.as_hex(format="long")


def test_the_keyboards_place_is_seen(plot, qtbot):
    plot.show_curves(scores())
    spine = plot.figure.axes[0].spines["left"]
    before = spine.get_edgecolor()
    plot.activateWindow()
    plot.setFocus()
    qtbot.waitUntil(plot.hasFocus)
    assert plot.figure.axes[0].spines["left"].get_edgecolor() != before
