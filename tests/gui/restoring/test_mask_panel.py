"""The mask follows confidence or is painted, is shown as a layer, and its share is the true one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff._napari.common.words import share_words
from napari_gmff._napari.restoring.mask_panel import MaskPanel
from napari_gmff.restoration.masks import mask_of_confidence
from tests.gui.fusion_dock import WAIT_MS, names
from tests.gui.restoring.fake_parts import FakeParts, blurred_set
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def panel(viewer, qtbot):
    panel = MaskPanel(viewer, FakeParts(), set())
    qtbot.addWidget(panel)
    panel.show()
    return panel


def use(qtbot, panel, made, below=0.2):
    panel.set_below(below)
    panel.use(made)
    settle(qtbot, panel)


def settle(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.is_busy, timeout=WAIT_MS)


def confidence_of(made):
    return made.images.levels("confidence")[0]


def test_the_layer_shows_what_a_restoration_would_take(viewer, panel, qtbot):
    made = blurred_set(viewer)
    selected = set(viewer.layers.selection)
    use(qtbot, panel, made)
    mask = mask_of_confidence(confidence_of(made), 0.2)
    assert 0 < mask.sum() < mask.size
    np.testing.assert_array_equal(panel.layer.data, mask)
    assert panel.words == f"{share_words(mask.sum(), mask.size)} of the pixels may be restored."
    np.testing.assert_array_equal(panel.layer.extent.world, made.layers["fused"][0].extent.world)
    assert set(viewer.layers.selection) == selected
    assert panel.mask() is None, "it is that of confidence, which the run makes itself"


def test_the_layer_follows_the_threshold(viewer, panel, qtbot):
    made = blurred_set(viewer)
    use(qtbot, panel, made)
    layer = panel.layer
    for below in (0.0, 0.5, 1.0):
        panel.set_below(below)
        settle(qtbot, panel)
        assert panel.layer is layer, "no layer comes and goes with the slider"
        np.testing.assert_array_equal(layer.data, mask_of_confidence(confidence_of(made), below))


def test_the_layer_is_there_only_while_it_is_wanted(viewer, panel, qtbot):
    made = blurred_set(viewer)
    before = names(viewer)
    use(qtbot, panel, made)
    assert names(viewer) == [*before, "relief to be restored"]
    panel.box.setChecked(False)
    assert names(viewer) == before
    panel.box.setChecked(True)
    panel.use(None)
    assert names(viewer) == before
    assert panel.words == ""


def test_a_layer_that_the_user_deletes_stays_away(viewer, panel, qtbot):
    use(qtbot, panel, blurred_set(viewer))
    viewer.layers.remove(panel.layer)
    panel.offer()
    assert not panel.box.isChecked()
    panel.set_below(0.4)
    settle(qtbot, panel)
    assert panel.layer is None


def test_painting_begins_with_the_mask_and_counts_what_is_painted(viewer, panel, qtbot):
    made = blurred_set(viewer)
    use(qtbot, panel, made)
    before = panel.layer.data.copy()
    panel.brush.click()
    settle(qtbot, panel)
    layer = viewer.layers["relief where to restore"]
    np.testing.assert_array_equal(layer.data, before)
    assert viewer.layers.selection.active is layer
    assert str(layer.mode) == "paint"
    assert panel.choice.chosen is layer
    assert panel.layer is None, "the painted layer shows itself"
    layer.data_setitem((np.array([90, 91]), np.array([120, 121])), 7)
    expected = before != 0
    expected[[90, 91], [120, 121]] = True
    np.testing.assert_array_equal(panel.mask(), expected)
    share = share_words(int(expected.sum()), expected.size)
    qtbot.waitUntil(lambda: panel.words.startswith(share), timeout=WAIT_MS)


def test_labels_of_other_plugins_can_be_the_mask_if_they_are_as_large(viewer, panel, qtbot):
    made = blurred_set(viewer)
    cells = viewer.add_labels(np.eye(96, 128, dtype=np.int32) * 5, name="cells")
    viewer.add_labels(np.zeros((5, 5), int), name="small")
    use(qtbot, panel, made)
    offered = [words for words, _ in panel.choice.choices()]
    assert offered == ["low focus confidence", "painted in cells"]
    panel.choice.set_value(cells)
    settle(qtbot, panel)
    np.testing.assert_array_equal(panel.mask(), cells.data != 0)


def test_a_painted_layer_that_is_deleted_leaves_the_confidence(viewer, panel, qtbot):
    use(qtbot, panel, blurred_set(viewer))
    layer = panel.paint()
    viewer.layers.remove(layer)
    panel.offer()
    settle(qtbot, panel)
    assert panel.is_from_confidence
    assert panel.layer is not None


def test_a_blend_has_no_confidence_and_must_be_painted(viewer, panel, qtbot):
    made = fused_set(viewer, engine="weighted-average")
    use(qtbot, panel, made)
    assert panel.choice.chosen is None
    assert "no confidence" in panel.problem
    layer = panel.paint()
    settle(qtbot, panel)
    assert panel.choice.chosen is layer
    assert not panel.mask().any()


def test_time_points_have_masks_of_their_own(viewer, panel, qtbot):
    array = textured((2, 4, 96, 128)).astype(np.float32)
    array[1, :, :, :64] = array[1, :, :, :64].mean()
    made = fused_set(viewer, stack_of(array.astype("uint16"), "TZYX"))
    use(qtbot, panel, made)
    shown = panel.layer.data[:, 0]
    for time, confidence in enumerate(confidence_of(made)):
        np.testing.assert_array_equal(shown[time], mask_of_confidence(confidence, 0.2))
    panel.paint()
    assert panel.mask().shape == (2, 96, 128)


def test_where_each_channel_has_its_own_focus_the_mask_is_that_of_any(viewer, panel, qtbot):
    made = fused_set(viewer, stack_of(textured((2, 4, 96, 128)), "CZYX"), channel="per-channel")
    use(qtbot, panel, made, below=0.9)
    expected = [mask_of_confidence(one, 0.9) for one in confidence_of(made)]
    assert not np.array_equal(*expected)
    np.testing.assert_array_equal(panel.layer.data, np.logical_or(*expected))


def test_after_the_end_only_what_was_painted_is_left(viewer, panel, qtbot):
    made = blurred_set(viewer)
    before = names(viewer)
    use(qtbot, panel, made)
    panel.end()
    assert names(viewer) == before
