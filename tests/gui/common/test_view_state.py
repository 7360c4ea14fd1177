"""Layers are seen, hidden and ordered as before, whatever came and went meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.view_state import ViewState, below_drawings


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    for name, visible in (("a", True), ("b", False), ("c", True)):
        viewer.add_image(np.zeros((4, 4)), name=name, visible=visible)
    viewer.add_points([[0, 0]], name="points")
    return viewer


def seen(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_only_some_images_are_seen_and_drawings_stay(viewer):
    ViewState(viewer).show_only([viewer.layers["b"]])
    assert seen(viewer) == ["b", "points"]
    ViewState(viewer).show_only([viewer.layers["b"]], keep_drawings=False)
    assert seen(viewer) == ["b"]


def test_order_and_visibility_come_back_without_what_was_removed(viewer):
    state = ViewState(viewer)
    state.show_only([viewer.layers["b"]])
    state.put_first([viewer.layers["points"], viewer.layers["c"]])
    assert names(viewer) == ["points", "c", "a", "b"]
    viewer.layers.remove("a")
    viewer.add_image(np.zeros((4, 4)), name="new", visible=False)
    state.restore()
    assert names(viewer) == ["b", "c", "points", "new"]
    assert seen(viewer) == ["c", "points"]


def test_a_new_image_goes_below_the_drawings(viewer):
    below_drawings(viewer, viewer.add_image(np.zeros((4, 4)), name="new"))
    assert names(viewer) == ["a", "b", "c", "new", "points"]


def test_without_drawings_a_new_image_stays_on_top(viewer):
    viewer.layers.remove("points")
    below_drawings(viewer, viewer.add_image(np.zeros((4, 4)), name="new"))
    assert names(viewer) == ["a", "b", "c", "new"]
