"""What was restored is compared, looked at, cited and saved."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import NotificationSeverity
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_gmff import open_result
from napari_gmff._napari.restoring.restoration_runs import RestorationRuns
from napari_gmff._napari.restoring.restored_panel import RestoredPanel
from napari_gmff.marks import is_restored
from napari_gmff.restoration.params import RestoreParams
from tests.gui.fusion_dock import WAIT_MS, notices
from tests.gui.restoring.fake_parts import FakeParts, HeldRestorer, blurred_set


@pytest.fixture
def fusion(viewer):
    return blurred_set(viewer)


@pytest.fixture
def made(viewer, fusion, qtbot):
    parent = QObject()
    runs = RestorationRuns(viewer, FakeParts(HeldRestorer()), parent)
    with qtbot.waitSignal(runs.finished, timeout=WAIT_MS) as told:
        runs.restore(fusion, RestoreParams(), None)
    return told.args[0]


@pytest.fixture
def panel(viewer, made, qtbot):
    panel = RestoredPanel(viewer, set())
    qtbot.addWidget(panel)
    panel.use(made)
    return panel


def seen(made):
    return [name for name, layers in made.layers.items() if any(one.visible for one in layers)]


def test_it_says_how_much_was_changed_and_what_to_beware_of(panel, made):
    share = 100 * made.result.changed_share
    assert f"{share:.3g} % of the pixels" in panel.words
    assert "contradiction" in panel.caution


@pytest.mark.parametrize("image", ["difference", "abs_difference", "contradiction", "restored"])
def test_one_of_its_images_is_seen_at_a_time(panel, made, image):
    panel.look.set_value(image)
    assert seen(made) == [image]


def test_the_swipe_has_the_fused_image_left_and_the_restored_one_right(viewer, panel, made, fusion):
    before = [(layer, layer.visible) for layer in viewer.layers]
    panel.swipe_box.setChecked(True)
    cover, _ = panel.swipe.layers
    np.testing.assert_array_equal(cover.data, fusion.layers["fused"][0].data[:, :64])
    assert made.layers["restored"][0].visible
    place = viewer.layers.index
    assert place(fusion.layers["fused"][0]) < place(made.layers["restored"][0]) < place(cover)
    panel.slider.setValue(250)
    assert cover.data.shape == (96, 32)
    panel.swipe_box.setChecked(False)
    assert [(layer, layer.visible) for layer in viewer.layers] == before


def test_the_methods_text_names_the_model_and_is_copied(panel):
    panel.copy.click()
    text = QApplication.clipboard().text()
    assert text == panel.methods()
    assert "Painted" in text
    assert "ab" * 32 in text


def test_a_restoration_is_saved_with_its_marks(panel, made, qtbot, tmp_path, monkeypatch):
    path = tmp_path / "moth restored"
    chosen = "OME-Zarr (*.ome.zarr)"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), chosen))
    panel.save.click()
    qtbot.waitUntil(lambda: bool(notices(NotificationSeverity.INFO)), timeout=WAIT_MS)
    saved = open_result(tmp_path / "moth restored.ome.zarr")
    assert is_restored(saved.provenance)
    np.testing.assert_array_equal(
        saved.image("restored").compute(), made.layers["restored"][0].data
    )


def test_a_swipe_ends_when_its_layers_are_deleted(viewer, panel):
    panel.swipe_box.setChecked(True)
    for layer in panel.swipe.layers:
        viewer.layers.remove(layer)
    panel.follow_layers()
    assert panel.swipe is None
    assert not panel.swipe_box.isChecked()


def test_there_is_nothing_to_do_without_a_restoration(panel):
    panel.use(None)
    assert panel.isHidden()
    assert panel.methods() == ""
