"""The area of low confidence is shown, and its share is the true one."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.words import share_words
from napari_gmff._napari.inspecting.confidence_panel import (
    STEPS,
    ConfidencePanel,
    counts_below,
)
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    panel = ConfidencePanel(viewer, set())
    qtbot.addWidget(panel)
    return panel


def choose(panel, threshold):
    panel.slider.setValue(round(threshold * STEPS))


def test_pixels_are_counted_strictly_below_every_threshold():
    rng = np.random.default_rng(1)
    confidence = rng.random((1100, 1000), np.float32)
    confidence[:4, 0] = np.float32([0, 0.3, 0.5, 1])
    below = counts_below(confidence)
    expected = [(confidence < np.float32(k / STEPS)).sum() for k in range(STEPS + 1)]
    np.testing.assert_array_equal(below, [*expected, confidence.size])


def test_the_share_below_the_threshold_is_said_as_the_slider_moves(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    qtbot.waitUntil(lambda: bool(panel.words))
    confidence = made.result.confidence.compute()
    for threshold in (0.3, 0.85, 0.0, 1.0):
        choose(panel, threshold)
        n_below = int((confidence < np.float32(threshold)).sum())
        words = share_words(n_below, confidence.size)
        assert panel.words == f"{words} below {threshold:.2f}"


def test_the_overlay_colours_what_lies_below_the_threshold(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    panel.box.setChecked(True)
    overlay = panel.overlay
    for threshold in (0.3, 0.86):
        choose(panel, threshold)
        low, high = overlay.contrast_limits
        values = np.linspace(0, 1, 201)
        values = values[np.abs(values - threshold) > 1e-6]
        alpha = overlay.colormap.map((values - low) / (high - low))[:, 3]
        np.testing.assert_array_equal(alpha > 0, values < threshold)


def test_the_overlay_lies_on_the_result_and_leaves_the_selection_alone(viewer, panel):
    made = fused_set(viewer, stack_of(textured((4, 300, 310)), voxel_size_um=(2, 0.5, 0.25)))
    viewer.layers.selection = {made.source_layers[0]}
    panel.use(made)
    panel.box.setChecked(True)
    assert viewer.layers.selection.active is made.source_layers[0]
    np.testing.assert_array_equal(panel.overlay.extent.world, made.layers["depth"][0].extent.world)
    assert np.shares_memory(panel.overlay.data[0], made.images.levels("confidence")[0])
    panel.box.setChecked(False)
    assert panel.overlay is None


def test_an_overlay_removed_by_hand_clears_the_check_box(viewer, panel):
    panel.use(fused_set(viewer))
    panel.box.setChecked(True)
    viewer.layers.remove(panel.overlay)
    panel.follow_layers()
    assert not panel.box.isChecked()
    panel.box.setChecked(True)
    assert panel.overlay in viewer.layers


def test_the_overlay_changes_with_the_result(viewer, panel):
    first, second = fused_set(viewer), fused_set(viewer)
    panel.use(first)
    panel.box.setChecked(True)
    panel.use(second)
    assert panel.overlay.data is second.layers["confidence"][0].data
    assert sum(layer.name.endswith("low confidence") for layer in viewer.layers) == 1
    panel.use(None)
    assert not any(layer.name.endswith("low confidence") for layer in viewer.layers)
    assert panel.words == ""


def test_marks_stay_above_the_overlay(viewer, panel):
    panel.use(fused_set(viewer))
    points = viewer.add_points([[1, 1]])
    panel.box.setChecked(True)
    assert viewer.layers.index(points) > viewer.layers.index(panel.overlay)


def test_the_time_point_in_view_is_counted(viewer, panel, qtbot):
    made = fused_set(viewer, stack_of(textured((2, 4, 60, 70)), "TZYX"))
    made.put("confidence", 1, (slice(0, 60), slice(0, 70)), np.zeros((60, 70), np.float32))
    panel.use(made)
    qtbot.waitUntil(lambda: bool(panel.words))
    assert not panel.words.startswith("100 %")
    viewer.dims.set_point(0, 1)
    panel.follow_time()
    qtbot.waitUntil(lambda: panel.words == "100 % below 0.30")
