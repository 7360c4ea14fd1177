"""The colour bar of depth is seen with depth, and not over the fused image."""

from __future__ import annotations

from napari.components import ViewerModel

from tests.gui.sets import fused_set


def shown():
    """Return a viewer and its layers by image: depth, then the focus index, then fused on top."""
    viewer = ViewerModel()
    made = fused_set(viewer)
    return viewer, {name: one for name, (one,) in made.layers.items()}


def test_the_bar_comes_when_what_covers_depth_is_hidden():
    _viewer, layers = shown()
    bar = layers["depth"].colorbar
    assert not bar.visible
    layers["fused"].visible = False
    assert not bar.visible
    layers["focus_index"].visible = False
    assert bar.visible
    layers["fused"].visible = True
    assert not bar.visible


def test_the_bar_comes_when_depth_is_moved_to_the_top():
    viewer, layers = shown()
    viewer.layers.move(viewer.layers.index(layers["depth"]), len(viewer.layers))
    assert layers["depth"].colorbar.visible


def test_the_bar_comes_when_the_layers_above_are_deleted():
    viewer, layers = shown()
    viewer.layers.remove(layers["fused"])
    assert not layers["depth"].colorbar.visible
    viewer.layers.remove(layers["focus_index"])
    assert layers["depth"].colorbar.visible


def test_a_layer_of_another_result_does_not_hide_the_bar():
    viewer, layers = shown()
    viewer.layers.move(viewer.layers.index(layers["depth"]), len(viewer.layers))
    fused_set(viewer)
    viewer.layers.move(0, 1)
    assert layers["depth"].colorbar.visible


def test_nothing_is_left_behind_by_a_deleted_depth_layer():
    viewer, layers = shown()
    before = len(viewer.layers.events.removed.callbacks)
    viewer.layers.remove(layers["depth"])
    assert len(viewer.layers.events.removed.callbacks) == before - 1
