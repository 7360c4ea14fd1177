"""Plots keep their margins in narrow docks and can be taken away with them."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.plot_canvas import ThemedPlot


class Line(ThemedPlot):
    """Counts how often it is drawn."""

    n_drawn = 0

    def draw_plot(self, axes):
        self.n_drawn += 1
        axes.plot([0, 1], [10_000, 20_000])
        axes.set_xticks([0, 1])
        axes.set_yticks([10_000, 20_000])


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.mark.parametrize("width_px", [120, 280, 600])
def test_tick_labels_have_room_at_every_width(viewer, qtbot, width_px):
    plot = Line(viewer, 150)
    qtbot.addWidget(plot)
    plot.resize(width_px, 150)
    plot.show()
    plot.redraw()
    plot.draw()
    axes = plot.figure.axes[0]
    for label in (*axes.get_yticklabels(), *axes.get_xticklabels()):
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0


def test_a_plot_is_drawn_again_when_the_theme_changes(viewer, qtbot):
    plot = Line(viewer, 150)
    qtbot.addWidget(plot)
    before = plot.n_drawn
    viewer.theme = "light"
    assert plot.n_drawn == before + 1


def test_a_plot_that_was_deleted_does_not_mind_another_theme(viewer, qtbot):
    plot = Line(viewer, 150)
    plot.deleteLater()
    qtbot.wait(10)
    viewer.theme = "light"
