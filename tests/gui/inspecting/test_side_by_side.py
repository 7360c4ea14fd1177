"""The slice and the fused image stand in two cells, and all is put back."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import grid_of
from napari_gmff._napari.inspecting.side_by_side import SideBySide
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


def cells(viewer):
    """Return the names of the visible layers by cell, as napari's own grid places them."""
    grid = grid_of(viewer)
    found: dict[tuple[int, int], list[str]] = {}
    for index, layer in enumerate(viewer.layers):
        if layer.visible:
            found.setdefault(grid.position(index, viewer.layers), []).append(layer.name)
    return found


def test_slice_and_fused_image_have_a_cell_each(viewer):
    made = fused_set(viewer)
    viewer.add_points([[1, 1]])
    SideBySide(viewer, made)
    assert grid_of(viewer).actual_shape(viewer.layers) == (1, 2)
    assert cells(viewer) == {(0, 0): ["relief"], (0, 1): ["relief fused"]}


def test_all_channels_are_in_the_cell_of_their_image(viewer):
    viewer.add_image(np.zeros((5, 5)), name="other")
    made = fused_set(viewer, stack_of(textured((2, 3, 60, 70)), "CZYX"))
    SideBySide(viewer, made)
    assert cells(viewer) == {
        (0, 0): ["relief channel 0", "relief channel 1"],
        (0, 1): ["relief fused channel 0", "relief fused channel 1"],
    }


def test_one_layer_for_all_channels_of_the_source_has_a_cell_too(viewer):
    made = fused_set(viewer, stack_of(textured((2, 3, 60, 70)), "CZYX"), with_source=False)
    made.source_layers.append(viewer.add_image(made.stack.data[0], name="all"))
    SideBySide(viewer, made)
    assert cells(viewer) == {
        (0, 0): ["all"],
        (0, 1): ["relief fused channel 0", "relief fused channel 1"],
    }


def test_everything_is_put_back(viewer):
    viewer.add_image(np.zeros((5, 5)), name="other", visible=False)
    made = fused_set(viewer)
    viewer.add_points([[1, 1]])
    before = [(layer, layer.visible) for layer in viewer.layers]
    grid = grid_of(viewer)
    was = (grid.enabled, grid.stride, grid.shape)
    beside = SideBySide(viewer, made)
    added = viewer.add_image(np.zeros((5, 5)), name="new")
    beside.end()
    assert [(layer, layer.visible) for layer in viewer.layers] == [*before, (added, True)]
    assert (grid.enabled, grid.stride, grid.shape) == was
    if hasattr(added, "name_overlay"):
        assert not any(layer.name_overlay.visible for layer in viewer.layers)
