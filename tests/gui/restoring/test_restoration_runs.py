"""Every way a restoration can end: with layers of its own, or with nothing left behind."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.utils.notifications import NotificationSeverity
from qtpy.QtWidgets import QApplication

from napari_gmff._napari.layers.restored_sets import restored_set_of, restored_sets
from napari_gmff._napari.layers.result_sets import METADATA_KEY, result_sets, set_of
from napari_gmff.errors import DeviceError
from napari_gmff.marks import AI_MARK
from tests.gui.fusion_dock import WAIT_MS, names, notices, temporary_results
from tests.gui.restoring.fake_parts import (
    FakeParts,
    HeldRestorer,
    blurred_set,
    docked,
    wait_for_end,
    wait_for_mask,
)


@pytest.fixture
def restorer():
    return HeldRestorer()


@pytest.fixture
def made(viewer):
    return blurred_set(viewer)


@pytest.fixture
def widget(viewer, made, restorer, qtbot):
    widget = docked(viewer, qtbot, FakeParts(restorer))
    wait_for_mask(qtbot, widget)
    widget.page.mask.box.setChecked(False)
    return widget


def restored(qtbot, widget):
    assert widget.page.panel.start.isEnabled(), widget.page.problem
    widget.page.panel.start.click()
    assert widget.page.runs.is_running
    wait_for_end(qtbot, widget)
    return widget.page.restored.made


def hold(qtbot, widget, restorer):
    """Press *Restore* and wait until the model is at work."""
    restorer.gate.clear()
    widget.page.panel.start.click()
    qtbot.waitUntil(restorer.is_held.is_set, timeout=WAIT_MS)


def test_the_fused_layer_stays_and_the_restored_one_lies_over_it(viewer, widget, made, qtbot):
    fused = made.layers["fused"][0]
    before, was = list(viewer.layers), fused.data.copy()
    new = restored(qtbot, widget)
    assert list(viewer.layers)[: len(before)] == before
    np.testing.assert_array_equal(fused.data, was)
    layer = new.layers["restored"][0]
    np.testing.assert_array_equal(layer.extent.world, fused.extent.world)
    mask = np.asarray(new.layers["restoration_mask"][0].data) != 0
    assert 0.3 < mask.mean() < 0.7
    np.testing.assert_array_equal(layer.data[~mask], was[~mask])
    assert np.count_nonzero(layer.data != was) > 1000


def test_every_image_that_a_model_made_is_marked_in_its_name(viewer, widget, qtbot):
    new = restored(qtbot, widget)
    assert set(new.layers) == {
        "restored", "restoration_mask", "difference", "abs_difference", "contradiction",
    }  # fmt: skip
    for name, (layer,) in new.layers.items():
        assert layer.name.startswith("relief ")
        assert layer.name.endswith(AI_MARK) == (name != "restoration_mask")
        assert layer.visible == (name == "restored")
        assert layer.metadata[METADATA_KEY]["provenance"]["restoration"]


def test_nobody_takes_the_restored_layer_for_a_fusion(viewer, widget, made, qtbot):
    new = restored(qtbot, widget)
    layer = new.layers["restored"][0]
    assert viewer.layers.selection.active is layer
    assert set_of(layer) is None
    assert restored_set_of(layer) is new
    assert list(result_sets(viewer)) == [made]
    assert widget.page.sets.result_set is made
    assert widget.page.sets.words == "", "here a restored layer is no surprise"


def test_another_restoration_replaces_nothing(viewer, widget, qtbot):
    first = restored(qtbot, widget)
    second = restored(qtbot, widget)
    assert list(restored_sets(viewer)) == [first, second]
    assert first.any_layer() is not None
    assert second.layers["restored"][0].name == f"relief restored 2 {AI_MARK}"
    panel = widget.page.restored
    assert panel.made is second
    viewer.layers.selection.active = first.layers["restored"][0]
    assert panel.made is first, "it follows the layer that is selected"


def test_several_seeds_bring_their_mean_and_spread(viewer, widget, qtbot):
    widget.page.form.set_values({"n_seeds": 2})
    new = restored(qtbot, widget)
    (spread,) = new.layers["spread"]
    assert "spread of the model, not an error bar" in spread.name
    (mean,) = new.layers["restored_mean"]
    assert "mean of 2 restorations" in mean.name


def test_a_cancelled_restoration_leaves_no_layer_and_no_file(viewer, widget, restorer, qtbot):
    before, files = names(viewer), temporary_results()
    hold(qtbot, widget, restorer)
    assert not widget.page.panel.start.isEnabled()
    assert not widget.page.self_test.button.isEnabled()
    assert result_sets(viewer).is_fusing, "others leave the processor to it"
    widget.page.panel.cancel.click()
    restorer.gate.set()
    wait_for_end(qtbot, widget)
    assert restorer.n_steps <= 1, "no step after the one that went on"
    assert restorer.n_closed == 1
    assert names(viewer) == before
    assert temporary_results() == files
    assert not result_sets(viewer).is_fusing
    assert widget.page.panel.start.isEnabled()
    assert notices() == [], "who cancels knows it"


def test_layers_that_come_in_go_again_when_it_is_cancelled(viewer, widget, qtbot):
    before, files = names(viewer), temporary_results()
    widget.page.panel.start.click()
    qtbot.waitUntil(lambda: len(viewer.layers) > len(before), timeout=WAIT_MS)
    widget.page.panel.cancel.click()
    wait_for_end(qtbot, widget)
    assert names(viewer) == before
    assert temporary_results() == files


@pytest.mark.parametrize("error", [DeviceError("out of memory; choose smaller tiles"),
                                   RuntimeError("a bug")], ids=["ours", "any"])  # fmt: skip
def test_an_error_is_told_and_leaves_nothing(viewer, widget, restorer, qtbot, error):
    before, files = names(viewer), temporary_results()
    restorer.error = error
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget)
    (message,) = notices(NotificationSeverity.ERROR)
    assert str(error) in message
    assert names(viewer) == before
    assert temporary_results() == files
    assert widget.page.panel.start.isEnabled()


def test_the_model_never_works_in_the_window_s_thread(widget, restorer, qtbot):
    restored(qtbot, widget)
    assert restorer.threads
    assert threading.main_thread() not in restorer.threads


def test_a_fusion_that_is_deleted_meanwhile_stops_the_run(viewer, widget, made, restorer, qtbot):
    hold(qtbot, widget, restorer)
    for layer in [one for layers in made.layers.values() for one in layers]:
        viewer.layers.remove(layer)
    restorer.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == ["relief"]
    (message,) = notices(NotificationSeverity.WARNING)
    assert "deleted while it was being restored" in message


def test_a_fusion_that_is_corrected_meanwhile_stops_the_run(viewer, widget, made, restorer, qtbot):
    before = names(viewer)
    hold(qtbot, widget, restorer)
    made.corrected.emit(0, (slice(0, 1), slice(0, 1)))
    restorer.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == before
    (message,) = notices(NotificationSeverity.WARNING)
    assert "corrected while it was being restored" in message


def test_deleted_layers_take_their_result_with_them(viewer, widget, qtbot):
    new = restored(qtbot, widget)
    folder = new.result.store_path
    assert folder.exists()
    for layer in new.all_layers():
        viewer.layers.remove(layer)
    assert not folder.exists()
    assert len(restored_sets(viewer)) == 0
    assert widget.page.restored.made is None


def test_a_preview_is_small_temporary_and_can_be_cleared(viewer, widget, qtbot):
    before, files = names(viewer), temporary_results()
    widget.page.form.set_values({"n_seeds": 4, "region": ((10, 60), (20, 90))})
    widget.page.panel.preview.click()
    wait_for_end(qtbot, widget)
    added = list(viewer.layers)[len(before) :]
    assert added
    assert all("(preview)" in layer.name for layer in added)
    assert not any("spread" in layer.name for layer in added), "one seed only"
    assert temporary_results() == files
    top = next(layer for layer in added if layer.name.startswith("relief restored"))
    assert top.name == f"relief restored (preview) {AI_MARK}"
    assert top.data.shape == (50, 70)
    np.testing.assert_allclose(top.extent.world[0], [5.0, 10.0])
    assert set_of(top) is None
    widget.page.panel.clear.click()
    assert names(viewer) == before


def test_a_preview_goes_when_the_whole_is_restored(viewer, widget, qtbot):
    widget.page.panel.preview.click()
    wait_for_end(qtbot, widget)
    assert any("(preview)" in name for name in names(viewer))
    restored(qtbot, widget)
    assert not any("(preview)" in name for name in names(viewer))


def test_a_self_test_ends_with_a_verdict_and_no_layer(viewer, widget, qtbot):
    before, files = names(viewer), temporary_results()
    widget.page.self_test.button.click()
    assert widget.page.runs.is_running
    wait_for_end(qtbot, widget)
    assert notices() == []
    verdict = widget.page.self_test.verdict
    assert verdict.endswith(".")
    assert names(viewer) == before
    assert temporary_results() == files
    widget.page.self_test.copy.click()
    assert QApplication.clipboard().text() == verdict
