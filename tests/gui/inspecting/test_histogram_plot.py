"""Bars have the colours of the focus map and can be clicked."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.colors import slice_colors
from napari_gmff._napari.inspecting.histogram_plot import HistogramPlot
from tests.gui.inspecting.test_curve_plot import click


@pytest.fixture
def plot(qtbot):
    plot = HistogramPlot(ViewerModel())
    qtbot.addWidget(plot)
    plot.resize(280, 130)
    plot.show()
    return plot


def test_each_bar_has_the_colour_of_its_slice_in_the_focus_map(plot):
    plot.show_counts(np.arange(3, 8), np.array([5, 0, 1, 2, 2]))
    (bars,) = plot.figure.axes[0].collections
    np.testing.assert_allclose(bars.get_facecolor(), slice_colors(5))
    assert [path.vertices[:, 1].max() for path in bars.get_paths()] == [0.5, 0, 0.1, 0.2, 0.2]


def test_a_click_picks_the_slice_of_the_bar(plot, qtbot):
    plot.show_counts(np.arange(3, 8), np.array([5, 0, 1, 2, 2]))
    for number in (3, 7, 4):
        with qtbot.waitSignal(plot.slice_picked) as told:
            click(plot, qtbot, number)
        assert told.args == [number]


def test_an_empty_plot_picks_nothing(plot, qtbot):
    with qtbot.assertNotEmitted(plot.slice_picked):
        click(plot, qtbot, 0.5)
