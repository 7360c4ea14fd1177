"""Left of the line is the fused image, right of it the slice in view."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.layers.swipe import Swipe
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


def covers(swipe):
    return [layer for layer in swipe.layers if layer.name.endswith("(swipe)")]


def line_x(swipe):
    """Return the column, in pixel edges, at which the line lies."""
    (line,) = (layer for layer in swipe.layers if layer.name.endswith("line"))
    start, along = line.data[0]
    assert along[-1] == 0
    return start[-1] + 0.5


def shown_names(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def test_the_fused_image_ends_at_the_line(viewer):
    made = fused_set(viewer)
    swipe = Swipe(viewer, made)
    fused = made.images.levels("fused")[0]
    for fraction, x in ((0.25, 32), (0.5, 64), (1.0, 128), (1.7, 128)):
        swipe.move_to(fraction)
        (cover,) = covers(swipe)
        np.testing.assert_array_equal(cover.data, fused[:, :x])
        assert np.shares_memory(cover.data, fused)
        assert line_x(swipe) == x
        assert swipe.fraction == x / 128
    swipe.move_to(0)
    assert not covers(swipe)[0].visible
    swipe.move_to(0.5)
    assert covers(swipe)[0].visible


def test_all_levels_of_a_pyramid_end_at_the_line(viewer):
    made = fused_set(viewer, stack_of(textured((2, 530, 1050))))
    swipe = Swipe(viewer, made)
    for fraction in (0.31, 0.77, 1.0):
        swipe.move_to(fraction)
        (cover,) = covers(swipe)
        ends = []
        for number, (part, level) in enumerate(
            zip(cover.data, made.images.levels("fused"), strict=True)
        ):
            np.testing.assert_array_equal(part, level[:, : part.shape[1]])
            ends.append(min(part.shape[1] * 2**number, 1050))
        assert set(ends) == {line_x(swipe)}


def test_only_the_source_the_part_and_the_line_are_seen(viewer):
    made = fused_set(viewer)
    points = viewer.add_points([[1, 1]])
    before = [(layer, layer.visible) for layer in viewer.layers]
    active = viewer.layers.selection.active
    swipe = Swipe(viewer, made)
    assert set(shown_names(viewer)) == {
        "relief", "relief fused (swipe)", "relief swipe line", points.name,
    }  # fmt: skip
    assert viewer.layers.selection.active is active
    swipe.end()
    assert [(layer, layer.visible) for layer in viewer.layers] == before


def test_channels_cover_the_slice_and_are_added_to_one_another(viewer):
    made = fused_set(viewer, stack_of(textured((2, 3, 60, 70)), "CZYX"))
    swipe = Swipe(viewer, made)
    assert [str(cover.blending) for cover in covers(swipe)] == ["opaque", "additive"]
    for cover, layer in zip(covers(swipe), made.layers["fused"], strict=True):
        np.testing.assert_array_equal(cover.data, layer.data[:, :35])


def test_colours_are_swiped_too(viewer):
    rgb = np.moveaxis(textured((3, 4, 60, 70), "uint8"), 0, -1)
    made = fused_set(viewer, stack_of(rgb, "ZYXS"))
    swipe = Swipe(viewer, made)
    (cover,) = covers(swipe)
    assert cover.rgb
    np.testing.assert_array_equal(cover.data, made.layers["fused"][0].data[:, :35])


def test_the_part_lies_where_the_fused_image_lies(viewer):
    made = fused_set(viewer)
    swipe = Swipe(viewer, made)
    swipe.move_to(0.25)
    whole = made.layers["fused"][0].extent.world
    part = covers(swipe)[0].extent.world
    np.testing.assert_array_equal(part[0], whole[0])
    assert part[1][0] == whole[1][0]


def test_the_line_follows_the_time_point(viewer):
    made = fused_set(viewer, stack_of(textured((3, 4, 60, 70)), "TZYX"))
    swipe = Swipe(viewer, made)
    viewer.dims.set_point(0, 2)
    line = swipe.layers[-1]
    assert line.data[0, 0, 0] == 2


def drag(viewer, x_um, to_um):
    """Press and drag on the canvas, as napari tells its callbacks; return what was handled."""
    event = SimpleNamespace(type="mouse_press", button=1, handled=False, position=(0, 20.0, x_um))
    steps = viewer.mouse_drag_callbacks[-1](viewer, event)
    next(steps, None)
    handled = [event.handled]
    event.type, event.position, event.handled = "mouse_move", (0, 20.0, to_um), False
    next(steps, None)
    handled.append(event.handled)
    return handled


def test_the_line_is_dragged_over_the_canvas(viewer, qtbot):
    camera_of(viewer).zoom = 10
    swipe = Swipe(viewer, fused_set(viewer))
    with qtbot.waitSignal(swipe.moved) as told:
        handled = drag(viewer, 32.2, 8.0)
    assert handled == [True, True], "the canvas would be panned along"
    assert line_x(swipe) == pytest.approx(16, abs=1)
    assert told.args == [swipe.fraction]


def test_away_from_the_line_the_canvas_is_panned(viewer):
    camera_of(viewer).zoom = 10
    swipe = Swipe(viewer, fused_set(viewer))
    assert drag(viewer, 36.0, 8.0) == [False, False]
    assert line_x(swipe) == 64


def test_the_line_is_as_thin_at_every_zoom(viewer):
    swipe = Swipe(viewer, fused_set(viewer))
    line = swipe.layers[-1]
    camera_of(viewer).zoom = 1
    wide = line.edge_width
    camera_of(viewer).zoom = 10
    assert line.edge_width == pytest.approx(wide / 10)


def test_after_the_end_nothing_is_left_behind(viewer):
    made = fused_set(viewer)
    callbacks = len(viewer.mouse_drag_callbacks)
    layers = list(viewer.layers)
    swipe = Swipe(viewer, made)
    swipe.end()
    assert list(viewer.layers) == layers
    assert len(viewer.mouse_drag_callbacks) == callbacks
    made.corrected.emit(0, (slice(0, 1), slice(0, 1)))
    camera_of(viewer).zoom = 3


def test_a_part_that_the_user_removed_does_no_harm(viewer):
    swipe = Swipe(viewer, fused_set(viewer))
    for layer in swipe.layers:
        viewer.layers.remove(layer)
    swipe.move_to(0.1)
    camera_of(viewer).zoom = 3
    swipe.end()


def test_other_layers_than_the_source_can_be_seen_on_the_right(viewer):
    made = fused_set(viewer)
    other = viewer.add_image(np.zeros((96, 128)), name="other", visible=False)
    swipe = Swipe(viewer, made, right=[other])
    assert set(shown_names(viewer)) == {"other", "relief fused (swipe)", "relief swipe line"}
    swipe.end()
    assert not other.visible
