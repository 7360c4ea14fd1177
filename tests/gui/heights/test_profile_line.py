"""The line is a shape on a layer over the image."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.heights.profile_line import ProfileLine
from napari_gmff._napari.layers.result_sets import set_of
from tests.gui.sets import fused_set


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def line(viewer):
    line = ProfileLine(viewer)
    viewer.layers.events.removed.connect(line.on_removed)
    return line


def drawn(line: ProfileLine, *corners) -> None:
    line.layer.add_lines(np.array(corners, float))


def test_drawing_makes_one_layer_over_the_image_ready_for_the_mouse(line, viewer):
    made = fused_set(viewer)
    line.use(made)
    assert line.layer is None
    assert line.points_px() is None
    line.draw()
    layer = line.layer
    assert (layer.name, layer.mode) == ("relief profile", "add_line")
    assert viewer.layers.selection.active is layer
    assert set_of(layer) is made
    beneath = made.layers["depth"][0]
    np.testing.assert_allclose(layer.data_to_world((7, 9)), beneath.data_to_world((7, 9)))
    layer.visible = False
    line.draw()
    assert line.layer is layer
    assert layer.visible


def test_the_selected_line_counts_and_else_the_last(line, viewer):
    line.use(fused_set(viewer))
    line.draw()
    heard = []
    line.changed.connect(lambda: heard.append(line.points_px()))
    drawn(line, (1, 2), (3, 4))
    drawn(line, (5, 6), (7, 8))
    line.layer.selected_data = set()
    np.testing.assert_array_equal(line.points_px(), [(5, 6), (7, 8)])
    line.layer.selected_data = {0}
    np.testing.assert_array_equal(heard[-1], [(1, 2), (3, 4)])
    line.layer.add_paths(np.array([(0, 0), (9, 0), (9, 9)], float))
    line.layer.selected_data = {2}
    assert len(line.points_px()) == 3
    line.layer.add_rectangles(np.array([(0, 0), (0, 4), (4, 4), (4, 0)], float))
    line.layer.selected_data = {3}
    np.testing.assert_array_equal(line.points_px()[[0, -1]], [(0, 0), (0, 0)])


def test_deleting_the_line_or_its_layer_leaves_none(line, viewer):
    line.use(fused_set(viewer))
    line.draw()
    drawn(line, (1, 2), (3, 4))
    heard = []
    line.changed.connect(lambda: heard.append(line.points_px()))
    line.layer.selected_data = {0}
    line.layer.remove_selected()
    assert heard[-1] is None
    drawn(line, (1, 2), (3, 4))
    viewer.layers.remove(line.layer)
    assert heard[-1] is None
    assert line.layer is None


def test_each_fusion_has_lines_of_its_own_which_are_found_again(line, viewer):
    first, second = fused_set(viewer), fused_set(viewer)
    line.use(first)
    line.draw()
    drawn(line, (1, 2), (3, 4))
    of_first = line.layer
    line.use(second)
    assert line.points_px() is None
    line.use(first)
    assert line.layer is of_first
    np.testing.assert_array_equal(line.points_px(), [(1, 2), (3, 4)])
    line.use(None)
    assert line.layer is None
