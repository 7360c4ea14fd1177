"""Labels and their layer tell when something was painted, and keep what is undone together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.correcting.correction_work import Pixels
from napari_gmff._napari.correcting.painted_layer import PaintedLayer
from tests.gui.sets import fused_set


@pytest.fixture
def painted(qtbot) -> Any:
    viewer = ViewerModel()
    made = PaintedLayer(viewer, fused_set(viewer))
    yield made
    made.end()
    viewer.layers.clear()


@pytest.mark.parametrize("refresh", [True, False])
def test_a_stroke_is_told_at_once_and_whoever_paints_is_seen(
    qtbot, painted: PaintedLayer, refresh: bool
) -> None:
    layer = painted.open()
    qtbot.waitUntil(lambda: not painted.is_waiting)
    told: list[np.ndarray] = []
    painted.painted.connect(lambda: told.append(painted.labels.copy()))
    layer.paint((30, 40), 2)
    assert told
    np.testing.assert_array_equal(told[-1], layer.data)
    layer.data_setitem((np.array([5]), np.array([5])), 3, refresh=refresh)
    qtbot.waitUntil(lambda: not painted.is_waiting)
    np.testing.assert_array_equal(told[-1], layer.data)
    assert told[-1][5, 5] == 3


def test_labels_are_put_with_and_without_a_layer(painted: PaintedLayer) -> None:
    places = (np.array([1, 2]), np.array([3, 4]))
    painted.put(Pixels(places, np.array([2, 3], np.uint8)))
    layer = painted.open()
    assert layer.data[1, 3] == 2
    painted.put(Pixels(places, np.array([4, 4], np.uint8), expected=3))
    assert (layer.data[1, 3], layer.data[2, 4]) == (2, 4)
    painted.undo()
    assert layer.data[2, 4] == 3
    painted.redo()
    assert painted.labels[2, 4] == 4


def test_opening_again_shows_the_same_layer(painted: PaintedLayer) -> None:
    layer = painted.open()
    layer.visible, layer.mode = False, "pan_zoom"
    assert painted.open() is layer
    assert layer.visible
    assert str(layer.mode) == "paint"
    layer.mode = "polygon"
    painted.open()
    assert str(layer.mode) == "polygon"
