"""The layer of corrections lies over the focus map, whatever the order of its axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_gmff._napari.correcting.correction_layer import (
    add_correction_layer,
    layer_indices,
    mark_label,
)
from napari_gmff._napari.layers.label_places import arranged, labels_of
from napari_gmff.corrections import CorrectionTarget
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer() -> Any:
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        ("yx", (5, 7)),
        ("xy", (7, 5)),
        ("yxz", (5, 7, 1)),
        ("tzyx", (3, 1, 5, 7)),
        ("ytx", (5, 3, 7)),
        ("xzyt", (7, 1, 5, 3)),
    ],
)
def test_labels_have_the_axes_of_the_focus_map_and_are_no_copy(
    names: str, shape: tuple[int, ...]
) -> None:
    own_shape = (3, 5, 7) if "t" in names else (5, 7)
    labels = np.zeros(own_shape, np.uint8)
    over = Image(np.zeros(shape), axis_labels=tuple(names))
    layer = Labels(arranged(labels, over), axis_labels=tuple(names))
    assert layer.data.shape == shape
    place = tuple(np.array([1, 2]) for _ in own_shape)
    layer.data_setitem(layer_indices(layer, place), np.array([4, 6]))
    assert labels[place].tolist() == [4, 6]
    assert np.count_nonzero(labels) == 2
    back = labels_of(layer, len(own_shape))
    assert np.shares_memory(back, labels)
    np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize("shape", [(4, 64, 80), (2, 4, 64, 80)], ids=["ZYX", "TZYX"])
def test_the_layer_lies_exactly_over_the_result(viewer: ViewerModel, shape: Any) -> None:
    stack = stack_of(textured(shape), "TZYX"[-len(shape) :], voxel_size_um=(2.0, 0.5, 0.25))
    result_set = fused_set(viewer, stack, region=((10, 60), (20, 80)))
    over = result_set.focus_index_layer
    target = CorrectionTarget.of(result_set.result)
    layer = add_correction_layer(viewer, result_set, np.zeros(target.shape, np.uint8), target)
    np.testing.assert_array_equal(layer.extent.world, over.extent.world)
    for point in (np.zeros(over.ndim), np.arange(over.ndim) + 3.0):
        np.testing.assert_array_equal(layer.data_to_world(point), over.data_to_world(point))
    assert layer.units == over.units
    assert layer.axis_labels == over.axis_labels
    assert viewer.layers.selection.active is layer
    assert layer.name == "relief corrections"


def test_the_mark_is_no_slice() -> None:
    assert mark_label([0, 1, 2]) == 4
    assert mark_label([3, 4]) == 6
