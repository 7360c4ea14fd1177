"""Layers of a run: they fill while it goes on, and replace earlier ones or not."""

from __future__ import annotations

import numpy as np

from napari_gmff import fuse
from napari_gmff._napari.layers.result_sets import result_sets, set_of
from napari_gmff.params import CLASSICAL_ENGINE
from tests.gui.fusion_dock import (
    NAMES,
    SMALL_WINDOWS,
    WAIT_MS,
    HeldStack,
    add_stack,
    docked,
    fuse_and_wait,
    names,
    notices,
    stopped_in_second_window,
    wait_for_end,
)
from tests.stacks import stack_of as array_stack
from tests.stacks import textured


def test_results_appear_window_by_window_while_the_run_goes_on(viewer, qtbot):
    held = HeldStack(textured((4, 90, 500)), (1, 90, 500))
    widget = docked(viewer, **SMALL_WINDOWS)
    add_stack(viewer, held.data, visible=False)
    stopped_in_second_window(qtbot, widget, held, **SMALL_WINDOWS)
    assert names(viewer) == ["relief", *NAMES]
    blank = np.isnan(viewer.layers["relief depth"].data[0])
    assert not blank[:, :96].any(), "the first window is there"
    assert blank[:, 96:].all(), "the others are still to come"
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert not np.isnan(viewer.layers["relief depth"].data[0]).any()


def test_the_set_behind_the_layers_is_complete(viewer, qtbot):
    widget = docked(viewer)
    source = add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    made = set_of(viewer.layers["relief fused"])
    assert list(result_sets(viewer)) == [made]
    assert made.source_layers == [source]
    assert made.z_axis == 0
    np.testing.assert_array_equal(
        made.result.focus_index.compute(), viewer.layers["relief focus index"].data
    )
    assert made.result.focus_curve(5, 5).shape == (4,)
    folder = made.result.store_path
    assert folder.exists()
    viewer.layers.clear()
    assert not folder.exists()


def test_a_layer_deleted_on_the_way_is_simply_missing_at_the_end(viewer, qtbot):
    held = HeldStack(textured((4, 90, 500)), (1, 90, 500))
    widget = docked(viewer, **SMALL_WINDOWS)
    add_stack(viewer, held.data, visible=False)
    stopped_in_second_window(qtbot, widget, held, **SMALL_WINDOWS)
    viewer.layers.remove("relief confidence")
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == ["relief", *NAMES[1:]]
    assert set_of(viewer.layers["relief fused"]).layers["confidence"] == []


def test_running_again_replaces_the_earlier_result_or_adds_to_it(viewer, qtbot):
    widget = docked(viewer)
    add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    first = viewer.layers["relief fused"]
    folder = set_of(first).result.store_path
    fuse_and_wait(qtbot, widget)
    assert names(viewer) == ["relief", *NAMES]
    assert viewer.layers["relief fused"] is not first
    assert not folder.exists()
    widget.rerun.set_value(False)
    fuse_and_wait(qtbot, widget)
    assert len(viewer.layers) == 9
    assert len(result_sets(viewer)) == 2


def test_a_cancelled_rerun_leaves_the_earlier_result_alone(viewer, qtbot):
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    widget = docked(viewer)
    add_stack(viewer, held.data, visible=False)
    fuse_and_wait(qtbot, widget)
    held.hold_at(6)
    widget.panel.fuse.click()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    widget.panel.cancel.click()
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == ["relief", *NAMES]


def test_a_result_of_another_stack_is_never_replaced(viewer, qtbot):
    widget = docked(viewer)
    add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    add_stack(viewer, textured((3, 64, 64)))
    fuse_and_wait(qtbot, widget)
    assert len(result_sets(viewer)) == 2


def test_a_result_that_was_corrected_by_hand_is_kept(viewer, qtbot):
    widget = docked(viewer)
    add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    set_of(viewer.layers["relief fused"]).result.provenance["corrections"] = {"pixels": 3}
    fuse_and_wait(qtbot, widget)
    assert len(result_sets(viewer)) == 2
    assert any("corrected by hand" in message for message in notices())


def test_time_points_become_a_t_axis(viewer, qtbot):
    array = np.stack([textured((3, 64, 80), seed=seed) for seed in range(2)])
    widget = docked(viewer)
    viewer.add_image(
        array, name="relief", axis_labels=("t", "z", "y", "x"), contrast_limits=(0, 65535)
    )
    fuse_and_wait(qtbot, widget)
    assert viewer.layers["relief fused"].data.shape == (2, 1, 64, 80)
    assert viewer.layers["relief depth"].axis_labels == ("t", "z", "y", "x")
    with fuse(array_stack(array, axes="TZYX"), engine=CLASSICAL_ENGINE) as expected:
        np.testing.assert_array_equal(
            viewer.layers["relief focus index"].data[:, 0], expected.focus_index.compute()
        )
