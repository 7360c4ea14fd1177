"""The slider goes to a slice wherever the stack lies, whatever else is in the viewer."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.layers.slice_navigation import (
    can_go_to_slices,
    go_to_slice,
    slice_in_view,
    time_in_view,
)
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


def shown_slice(viewer, layer):
    """Return the number of the slice whose pixels napari would draw."""
    at = layer.world_to_data(viewer.dims.point)[0]
    return round(float(at))


@pytest.mark.parametrize(
    "z_um",
    [[0, 2, 4, 6], [7.5, 5.5, 3.5, 1.5], [100.25, 100.5, 100.75, 101.0], [-3, -1, 1, 3]],
    ids=["from 0", "falling", "far away and fine", "across 0"],
)
def test_the_slider_goes_to_every_slice(viewer, z_um):
    made = fused_set(viewer, z_positions_um=z_um)
    for number in (3, 0, 2, 1):
        assert go_to_slice(viewer, made, number)
        assert slice_in_view(viewer, made) == number
        assert shown_slice(viewer, made.source_layers[0]) == number
        assert viewer.dims.point[0] == pytest.approx(z_um[number])


def test_a_layer_with_another_step_does_not_matter(viewer):
    made = fused_set(viewer)
    viewer.add_image(
        np.zeros((30, 8, 8)), scale=(0.3, 1, 1), translate=(-5, 0, 0), units=["um"] * 3
    )
    for number in (3, 1):
        go_to_slice(viewer, made, number)
        assert slice_in_view(viewer, made) == number
        assert viewer.dims.point[0] == pytest.approx(2.0 * number)


def test_a_stack_with_its_slices_last_is_followed_along_that_axis(viewer):
    made = fused_set(viewer, with_source=False)
    layer = viewer.add_image(
        np.moveaxis(made.stack.data[0, 0], 0, -1),
        axis_labels=("y", "x", "z"),
        scale=(0.5, 0.5, 2.0),
        rgb=False,
    )
    made.source_layers.append(layer)
    viewer.dims.order = (2, 0, 1)
    assert go_to_slice(viewer, made, 2)
    assert viewer.dims.point[2] == pytest.approx(4.0)
    assert slice_in_view(viewer, made) == 2


def test_the_axis_that_the_user_named_counts(viewer):
    made = fused_set(viewer, with_source=False)
    made.source_layers.append(viewer.add_image(np.zeros((4, 5, 96, 128))))
    made.z_axis = 0
    go_to_slice(viewer, made, 3)
    assert viewer.dims.point[0] == 3


def test_without_the_layer_of_the_stack_there_is_nowhere_to_go(viewer):
    made = fused_set(viewer)
    assert can_go_to_slices(viewer, made)
    viewer.layers.remove(made.source_layers[0])
    assert not can_go_to_slices(viewer, made)
    assert not go_to_slice(viewer, made, 2)
    assert slice_in_view(viewer, made) is None


def test_slices_seen_from_the_side_have_no_slider(viewer):
    made = fused_set(viewer)
    viewer.dims.order = (1, 0, 2)
    assert not go_to_slice(viewer, made, 2)


def test_each_time_point_keeps_its_slice(viewer):
    made = fused_set(viewer, stack_of(textured((3, 4, 60, 70)), "TZYX"))
    viewer.dims.set_point(0, 2)
    go_to_slice(viewer, made, 1)
    assert time_in_view(viewer, made) == 2
    assert slice_in_view(viewer, made) == 1
