"""The pointer tells a pixel, a click marks one, and neither gets in anybody's way."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.inspecting.pixel_picker import PixelPicker
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def picker(viewer):
    picker = PixelPicker(viewer)
    picker.start()
    yield picker
    picker.stop()


def press(viewer, world, *, moved_px=0, button=1, modifiers=()):
    """Press, drag and release at a world position, as napari tells its callbacks."""
    event = SimpleNamespace(
        type="mouse_press", button=button, modifiers=modifiers, pos=np.array([10, 10])
    )
    viewer.cursor.position = world
    steps = viewer.mouse_drag_callbacks[-1](viewer, event)
    next(steps, None)
    if moved_px:
        event.type, event.pos = "mouse_move", np.array([10 + moved_px, 10])
        next(steps, None)
    event.type = "mouse_release"
    next(steps, None)


def world_of_mark(marker):
    """Return the middle of the mark, whose four sides follow each other."""
    starts, along = marker.data[:, 0], marker.data[:, 1]
    np.testing.assert_allclose(starts + along, np.roll(starts, -1, axis=0))
    return np.asarray(marker.data_to_world(starts.mean(axis=0)))


def test_the_pixel_under_the_pointer_is_told(viewer, picker, qtbot):
    picker.use(fused_set(viewer))
    viewer.cursor.position = (0, 10.0, 20.0)
    with qtbot.waitSignal(picker.hovered) as told:
        viewer.mouse_move_callbacks[-1](viewer, None)
    assert told.args == [(0, 20, 40)]


def test_many_moves_are_one_look(viewer, picker, qtbot):
    picker.use(fused_set(viewer))
    told = []
    picker.hovered.connect(told.append)
    for x in range(30):
        viewer.cursor.position = (0, 10.0, float(x))
        viewer.mouse_move_callbacks[-1](viewer, None)
    qtbot.waitUntil(lambda: bool(told))
    assert told == [(0, 20, 58)]


def test_outside_the_result_there_is_no_pixel(viewer, picker, qtbot):
    picker.use(fused_set(viewer))
    viewer.cursor.position = (0, 10.0, 2000.0)
    with qtbot.waitSignal(picker.hovered) as told:
        viewer.mouse_move_callbacks[-1](viewer, None)
    assert told.args == [None]


def test_a_click_is_told_and_a_drag_is_not(viewer, picker):
    picker.use(fused_set(viewer))
    told = []
    picker.clicked.connect(told.append)
    press(viewer, (0, 10, 20), moved_px=50)
    press(viewer, (0, 10, 20), button=2)
    press(viewer, (0, 10, 20), modifiers=("Shift",))
    press(viewer, (0, 10, 2000))
    assert told == []
    press(viewer, (0, 10, 20))
    press(viewer, (0, 0, 0), moved_px=1)
    assert told == [(0, 20, 40), (0, 0, 0)]


def test_a_click_of_a_brush_is_left_to_the_brush(viewer, picker):
    made = fused_set(viewer)
    picker.use(made)
    told = []
    picker.clicked.connect(told.append)
    labels = viewer.add_labels(np.zeros((96, 128), np.uint8), scale=(0.5, 0.5))
    labels.mode = "paint"
    press(viewer, (0, 10, 20))
    assert told == []
    labels.mode = "pan_zoom"
    press(viewer, (0, 10, 20))
    assert told == [(0, 20, 40)]


def test_nothing_is_picked_in_three_dimensions(viewer, picker):
    picker.use(fused_set(viewer))
    told = []
    picker.clicked.connect(told.append)
    viewer.dims.ndisplay = 3
    press(viewer, (0, 10, 20))
    assert told == []


def test_the_mark_lies_on_the_pixel_and_leaves_the_selection_alone(viewer, picker):
    made = fused_set(viewer)
    viewer.layers.selection = {made.source_layers[0]}
    picker.use(made)
    picker.mark((0, 20, 40))
    assert viewer.layers.selection.active is made.source_layers[0]
    marker = picker.marker
    np.testing.assert_allclose(world_of_mark(marker), [10.0, 20.0])
    picker.mark((0, 1, 2))
    assert picker.marker is marker
    np.testing.assert_allclose(world_of_mark(marker), [0.5, 1.0])


def test_the_mark_is_as_large_on_the_screen_at_every_zoom(viewer, picker):
    picker.use(fused_set(viewer))
    picker.mark((0, 20, 40))
    marker = picker.marker
    for zoom in (1.0, 8.0, 0.25):
        camera_of(viewer).zoom = zoom
        sides_px = np.linalg.norm(marker.data[:, 1], axis=1) * marker.scale[-1] * zoom
        np.testing.assert_allclose(sides_px, 14.0)
        assert marker.edge_width * marker.scale[-1] * zoom == pytest.approx(3.0)
        np.testing.assert_allclose(world_of_mark(marker), [10.0, 20.0])


def test_the_mark_of_a_time_series_lies_at_its_time(viewer, picker):
    made = fused_set(viewer, stack_of(textured((3, 4, 60, 70)), "TZYX"))
    picker.use(made)
    picker.mark((2, 20, 40))
    world = world_of_mark(picker.marker)
    viewer.dims.set_point(0, 2)
    assert made.pixel_at(world) == (2, 20, 40)


def test_the_mark_goes_with_its_result(viewer, picker):
    picker.use(fused_set(viewer))
    picker.mark((0, 20, 40))
    n_layers = len(viewer.layers)
    picker.use(None)
    assert picker.marker is None
    assert len(viewer.layers) == n_layers - 1


def test_a_mark_that_the_user_removed_comes_back_with_the_next_click(viewer, picker):
    picker.use(fused_set(viewer))
    picker.mark((0, 20, 40))
    viewer.layers.remove(picker.marker)
    assert picker.marker is None
    picker.mark((0, 2, 4))
    assert picker.marker in viewer.layers


def test_after_stop_the_mouse_is_left_alone(viewer, picker):
    before = len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)
    picker.stop()
    picker.stop()
    after = len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)
    assert after == (before[0] - 1, before[1] - 1)
    picker.start()
    picker.start()
    assert (len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)) == before
