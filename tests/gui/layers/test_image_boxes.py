"""What is on the canvas and what is drawn, in pixels of the stack."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff._napari.layers.image_boxes import box_of_rectangle, time_on_screen, visible_box
from napari_gmff._napari.layers.layer_stacks import understood
from napari_gmff.errors import ParameterError
from napari_gmff.windows import Box
from tests.gui.fusion_dock import PLACE


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


def rectangle(y0: float, y1: float, x0: float, x1: float) -> np.ndarray:
    return np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])


def test_the_whole_image_is_visible_at_first(viewer):
    view = understood(viewer.add_image(np.zeros((4, 300, 400), np.uint8), **PLACE))
    assert visible_box(viewer, view) == Box(0, 300, 0, 400)


def test_zooming_in_shows_the_part_around_the_middle_of_the_canvas(viewer):
    view = understood(viewer.add_image(np.zeros((4, 3000, 4000), np.uint8), **PLACE))
    row, column = 1000, 2500
    viewer.scene.camera.center = (0, 3 + 0.5 * row, 4 + 0.5 * column)
    viewer.scene.camera.zoom = 4  # one pixel of the image is two of the canvas
    height, width = viewer.canvas.size
    box = visible_box(viewer, view)
    assert abs(box.y0 - (row - height / 4)) <= 1
    assert abs(box.y1 - (row + height / 4)) <= 1
    assert abs(box.x0 - (column - width / 4)) <= 1
    assert abs(box.x1 - (column + width / 4)) <= 1


def test_a_transposed_layer_is_seen_through_its_own_axes(viewer):
    layer = viewer.add_image(np.zeros((4000, 4, 3000), np.uint8), axis_labels=("x", "z", "y"))
    viewer.dims.order = (1, 2, 0)  # Z on the slider, Y down, X to the right
    view = understood(layer)
    viewer.scene.camera.center = (0, 1000, 2500)
    viewer.scene.camera.zoom = 10
    box = visible_box(viewer, view)
    assert box.y0 < 1000 < box.y1 < 1200
    assert box.x0 < 2500 < box.x1 < 2700


def test_where_the_image_is_not_seen_flat_all_of_it_counts(viewer):
    view = understood(
        viewer.add_image(np.zeros((40, 300, 400), np.uint8), axis_labels=tuple("zyx"))
    )
    whole = Box(0, 300, 0, 400)
    viewer.scene.camera.zoom = 50
    viewer.dims.order = (1, 0, 2)
    assert visible_box(viewer, view) == whole
    viewer.dims.order = (0, 1, 2)
    viewer.dims.ndisplay = 3
    assert visible_box(viewer, view) == whole


def test_where_nothing_is_on_the_canvas_all_of_it_counts(viewer):
    view = understood(viewer.add_image(np.zeros((4, 300, 400), np.uint8), **PLACE))
    viewer.scene.camera.center = (0, 9000, 9000)
    assert visible_box(viewer, view) == Box(0, 300, 0, 400)


def test_a_rectangle_is_translated_to_pixels_whatever_the_places_of_the_layers(viewer):
    view = understood(viewer.add_image(np.zeros((4, 300, 400), np.uint8), **PLACE))
    # In µm: rows 20 to 60, columns 10 to 210, corner to corner.
    drawn = rectangle(3 + 0.5 * 19.5, 3 + 0.5 * 59.5, 4 + 0.5 * 9.5, 4 + 0.5 * 209.5)
    flat = viewer.add_shapes([drawn], units=("um", "um"))
    assert box_of_rectangle(flat, view) == Box(20, 60, 10, 210)
    scaled = viewer.add_shapes([drawn / 0.25 - 8], scale=(0.25, 0.25), translate=(2, 2))
    assert box_of_rectangle(scaled, view) == Box(20, 60, 10, 210)
    deep = viewer.add_shapes([np.insert(drawn, 0, 10, axis=1)])
    assert box_of_rectangle(deep, view) == Box(20, 60, 10, 210)


def test_the_selected_rectangle_counts_else_the_last(viewer):
    view = understood(viewer.add_image(np.zeros((4, 300, 400), np.uint8)))
    shapes = viewer.add_shapes([rectangle(-0.5, 9.5, -0.5, 9.5), rectangle(19.5, 29.5, -0.5, 9.5)])
    shapes.selected_data = {0}
    assert box_of_rectangle(shapes, view) == Box(0, 10, 0, 10)
    shapes.selected_data = set()
    assert box_of_rectangle(shapes, view) == Box(20, 30, 0, 10)


def test_a_rectangle_is_cut_at_the_image_and_refused_beyond_it(viewer):
    view = understood(viewer.add_image(np.zeros((4, 300, 400), np.uint8), name="cells"))
    shapes = viewer.add_shapes([rectangle(-50, 29.5, 379.5, 900)], name="part")
    assert box_of_rectangle(shapes, view) == Box(0, 30, 380, 400)
    outside = viewer.add_shapes([rectangle(400, 500, 0, 50)], name="beyond")
    with pytest.raises(ParameterError, match="region: the rectangle of beyond lies outside cells"):
        box_of_rectangle(outside, view)
    empty = viewer.add_shapes(name="nothing")
    with pytest.raises(ParameterError, match="region: nothing holds no rectangle"):
        box_of_rectangle(empty, view)


def test_the_time_point_on_the_slider_is_told(viewer):
    array = np.zeros((5, 4, 30, 40), np.uint8)
    layer = viewer.add_image(array, axis_labels=tuple("tzyx"), scale=(2, 1, 1, 1))
    view = understood(layer)
    viewer.dims.set_point(0, 6.0)
    assert time_on_screen(viewer, view) == 3
    still = understood(viewer.add_image(array[0], axis_labels=tuple("zyx")))
    assert time_on_screen(viewer, still) == 0
