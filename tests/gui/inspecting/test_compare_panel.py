"""The comparison says what is seen where, follows the slider, and puts everything back."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import grid_of
from napari_gmff._napari.inspecting.compare_panel import ALONE, BESIDE, OFF, SWIPE, ComparePanel
from napari_gmff._napari.layers.slice_navigation import go_to_slice
from tests.gui.sets import fused_set


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    panel = ComparePanel(viewer, set())
    qtbot.addWidget(panel)
    return panel


def choose(panel, mode):
    panel.modes.setCurrentText(mode)


def seen(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def test_words_name_what_is_seen_and_follow_the_slider(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    assert panel.words == ""
    go_to_slice(viewer, made, 3)
    choose(panel, SWIPE)
    assert panel.words == "Left of the line: fused. Right: slice 3."
    go_to_slice(viewer, made, 1)
    panel.follow_slider()
    assert panel.words == "Left of the line: fused. Right: slice 1."
    choose(panel, BESIDE)
    assert "slice 1" in panel.words
    choose(panel, ALONE)
    assert panel.words == "Only slice 1 is shown."


def test_one_comparison_follows_the_other_and_off_puts_all_back(viewer, panel):
    panel.use(fused_set(viewer))
    before = [(layer, layer.visible) for layer in viewer.layers]
    for mode, expected in (
        (SWIPE, {"relief", "relief fused (swipe)", "relief swipe line"}),
        (BESIDE, {"relief", "relief fused"}),
        (ALONE, {"relief"}),
        (SWIPE, {"relief", "relief fused (swipe)", "relief swipe line"}),
    ):
        choose(panel, mode)
        assert seen(viewer) == expected
        assert grid_of(viewer).enabled == (mode == BESIDE)
    choose(panel, OFF)
    assert [(layer, layer.visible) for layer in viewer.layers] == before


def test_the_slider_moves_the_line_and_the_line_the_slider(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    assert panel.slider.isHidden()
    choose(panel, SWIPE)
    assert not panel.slider.isHidden()
    panel.slider.setValue(250)
    (cover,) = (layer for layer in viewer.layers if layer.name.endswith("(swipe)"))
    assert cover.data.shape == (96, 32)
    panel.view.moved.emit(0.75)
    assert panel.slider.value() == 750


def test_a_comparison_ends_with_its_result(viewer, panel):
    panel.use(fused_set(viewer))
    choose(panel, SWIPE)
    panel.use(None)
    assert panel.mode == OFF
    assert not any(layer.name.endswith("(swipe)") for layer in viewer.layers)


@pytest.mark.parametrize("name", ["relief", "relief fused"])
def test_a_comparison_ends_when_a_layer_of_it_is_removed(viewer, panel, name):
    panel.use(fused_set(viewer))
    viewer.layers.events.removed.connect(lambda: panel.follow_layers())
    choose(panel, SWIPE)
    viewer.layers.remove(name)
    assert panel.mode == OFF
    assert not panel.modes.isEnabled()
    assert panel.words == "The stack's layer or the fused image is not there."
    assert not any(layer.name.endswith("(swipe)") for layer in viewer.layers)


def test_removing_the_line_ends_the_swipe(viewer, panel):
    panel.use(fused_set(viewer))
    viewer.layers.events.removed.connect(lambda: panel.follow_layers())
    choose(panel, SWIPE)
    viewer.layers.remove("relief swipe line")
    assert panel.mode == OFF
    assert "relief fused" in seen(viewer)


def test_a_correction_is_seen_in_the_swiped_part(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    choose(panel, SWIPE)
    (cover,) = (layer for layer in viewer.layers if layer.name.endswith("(swipe)"))
    drawn = []
    cover.events.set_data.connect(drawn.append)
    made.corrected.emit(0, (slice(0, 4), slice(0, 4)))
    assert drawn
