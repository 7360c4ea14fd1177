"""The dock in a real window: off until the user agrees, and then from the mask to the layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tifffile

from napari_gmff import fuse, open_result, read_stack
from napari_gmff._napari.files.reader import layers_of_path
from napari_gmff.marks import AI_MARK, is_restored
from tests.gui.fusion_dock import WAIT_MS, names, notices, temporary_results, wait_for_threads
from tests.gui.restoring.fake_parts import (
    FakeParts,
    HeldRestorer,
    blurred_set,
    docked,
    wait_for_end,
    wait_for_mask,
    wait_for_page,
)
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


def agree(qtbot, widget):
    for box in widget.consent.boxes.values():
        box.setChecked(True)
    widget.consent.button.click()
    wait_for_page(qtbot, widget)


def test_consent_comes_first_then_the_weights_then_restoring(viewer, qtbot):
    parts = FakeParts(is_ready=False)
    blurred_set(viewer)
    before = names(viewer)
    widget = docked(viewer, qtbot, parts)
    assert widget.shown_page is widget.consent
    assert not widget.page.panel.isVisible(), "nothing can be started"
    assert names(viewer) == before, "nothing is shown either"
    agree(qtbot, widget)
    assert widget.shown_page is widget.models
    assert parts.network == []
    widget.models.download("sd21-base")
    qtbot.waitUntil(lambda: not widget.models.is_running, timeout=WAIT_MS)
    wait_for_page(qtbot, widget)
    assert widget.shown_page is widget.models, "one is still missing"
    parts.states["ifcontrolnet"] = replace(parts.states["ifcontrolnet"], is_stored=True)
    widget.models.got.emit()
    wait_for_page(qtbot, widget)
    assert widget.shown_page is widget.page
    wait_for_mask(qtbot, widget)
    assert names(viewer) == [*before, "relief to be restored"]
    assert widget.banner.isVisible()


def test_another_model_needs_consent_of_its_own(viewer, qtbot):
    parts = FakeParts()
    parts.states["diffbir-v2"] = replace(parts.states["diffbir-v2"], has_consent=False)
    blurred_set(viewer)
    widget = docked(viewer, qtbot, parts)
    assert widget.shown_page is widget.page
    widget.page.form.set_values({"model": "diffbir-v2"})
    qtbot.waitUntil(lambda: widget.shown_page is widget.consent, timeout=WAIT_MS)
    assert list(widget.consent.boxes) == ["diffbir-v2"]
    assert "relief to be restored" not in names(viewer)
    widget.model.set_value("ifcontrolnet")
    qtbot.waitUntil(lambda: widget.shown_page is widget.page, timeout=WAIT_MS)


def test_a_missing_extra_is_said_with_what_to_install(viewer, qtbot):
    extra = "restoration needs diffusers: pip install 'napari-gmff[restoration]'"
    widget = docked(viewer, qtbot, FakeParts(extra=extra))
    assert widget.problem == extra
    assert widget.shown_page is not widget.page
    assert not widget.page.panel.isVisible()


def test_without_a_fusion_it_says_what_to_do(viewer, qtbot):
    widget = docked(viewer, qtbot, FakeParts())
    assert "Fuse a stack" in widget.page.words
    assert not widget.page.panel.start.isEnabled()
    assert not widget.page.mask.brush.isEnabled()
    blurred_set(viewer)
    wait_for_mask(qtbot, widget)
    assert widget.page.words == ""
    assert widget.page.panel.start.isEnabled()


def test_the_threshold_of_the_form_moves_the_mask(viewer, qtbot):
    made = blurred_set(viewer)
    widget = docked(viewer, qtbot, FakeParts())
    wait_for_mask(qtbot, widget)
    editor = widget.page.form.editor("mask_below")
    editor.slider.setValue(90)
    wait_for_mask(qtbot, widget)
    assert widget.page.params().mask_below == 0.9
    mask = FakeParts().mask_of(made.images.levels("confidence")[0], "yx", 0.9)
    np.testing.assert_array_equal(widget.page.mask.layer.data, mask)
    widget.page.mask.paint()
    assert not editor.isEnabled(), "a painted mask has no threshold"


def test_an_empty_mask_is_told_where_it_can_be_changed(viewer, qtbot):
    blurred_set(viewer)
    widget = docked(viewer, qtbot, FakeParts(HeldRestorer()))
    widget.page.form.set_values({"mask_below": 0.0})
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget)
    assert "nothing to restore" in widget.page.form.error_of("mask_below")
    assert "nothing to restore" in notices()[0]


def test_the_time_it_takes_is_said_for_what_is_in_the_mask(viewer, qtbot):
    fused_set(viewer, stack_of(textured((2, 3, 96, 128)), "CZYX"))
    widget = docked(viewer, qtbot, FakeParts())
    page = widget.page
    page.form.set_values({"mask_below": 1.0, "n_seeds": 3})
    qtbot.waitUntil(lambda: "6 min" in page.estimate_words, timeout=WAIT_MS)
    page.form.set_values({"mask_below": 0.0})
    qtbot.waitUntil(lambda: page.estimate_words == "", timeout=WAIT_MS)


def test_a_processor_that_will_not_do_is_told_at_its_field(viewer, qtbot):
    parts = FakeParts()
    parts.no_device = "device: restoration needs a GPU; allow_cpu runs it nevertheless"
    blurred_set(viewer)
    widget = docked(viewer, qtbot, parts)
    qtbot.waitUntil(lambda: "needs a GPU" in widget.page.form.error_of("device"), timeout=WAIT_MS)
    assert widget.page.estimate_words == ""


def test_the_fusion_that_is_picked_stays_picked_when_its_mask_is_shown(viewer, qtbot):
    first, second = blurred_set(viewer), blurred_set(viewer)
    viewer.layers.selection.active = second.layers["fused"][0]
    widget = docked(viewer, qtbot, FakeParts())
    wait_for_mask(qtbot, widget)
    widget.page.sets.pick(first)
    wait_for_mask(qtbot, widget)
    assert widget.page.mask.layer is not None
    assert widget.page.fusion is first
    assert viewer.layers.selection.active is second.layers["fused"][0]
    viewer.layers.selection.active = second.layers["depth"][0]
    assert widget.page.fusion is second, "it follows what the user selects"


def test_a_blend_is_restored_where_it_is_painted(viewer, qtbot):
    made = fused_set(viewer, engine="weighted-average")
    widget = docked(viewer, qtbot, FakeParts(HeldRestorer()))
    assert not widget.page.panel.start.isEnabled()
    layer = widget.page.mask.paint()
    layer.data[20:40, 30:90] = 1
    layer.refresh()
    assert widget.page.panel.start.isEnabled()
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget)
    restored = widget.page.restored.made.layers["restored"][0].data
    fused = made.layers["fused"][0].data
    outside = layer.data == 0
    np.testing.assert_array_equal(restored[outside], fused[outside])
    assert np.any(restored != fused)


def test_colours_and_channels_are_restored_with_their_own_look(viewer, qtbot):
    rgb = np.moveaxis(textured((3, 4, 60, 70), "uint8"), 0, -1)
    channels = textured((2, 4, 60, 70))
    for stack, n_layers in ((stack_of(rgb, "ZYXS"), 1), (stack_of(channels, "CZYX"), 2)):
        made = fused_set(viewer, stack)
        widget = docked(viewer, qtbot, FakeParts(HeldRestorer()))
        widget.page.form.set_values({"mask_below": 1.0})
        widget.page.panel.start.click()
        wait_for_end(qtbot, widget)
        new = widget.page.restored.made
        assert len(new.layers["restored"]) == n_layers
        for layer, fused in zip(new.layers["restored"], made.layers["fused"], strict=True):
            assert layer.rgb == fused.rgb
            assert layer.data.shape == fused.data.shape
            if not fused.rgb:
                assert layer.colormap.name == fused.colormap.name
                assert layer.contrast_limits == fused.contrast_limits
        widget.shut()
        viewer.layers.clear()


def test_a_saved_fusion_is_restored_without_its_stack(viewer, qtbot, tmp_path):
    made = blurred_set(viewer)
    made.result.save(tmp_path / "moth.ome.zarr")
    viewer.layers.clear()
    for data, kwargs, _ in layers_of_path(str(tmp_path / "moth.ome.zarr")):
        viewer.add_image(data, **kwargs)
    widget = docked(viewer, qtbot, FakeParts(HeldRestorer()))
    assert not widget.page.self_test.button.isEnabled()
    wait_for_mask(qtbot, widget)
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget)
    new = widget.page.restored.made
    assert "contradiction" not in new.layers
    assert "not at hand" in widget.page.restored.caution
    np.testing.assert_array_equal(
        new.layers["restored"][0].extent.world, viewer.layers["relief fused"].extent.world
    )


def test_a_saved_fusion_is_compared_with_its_stack_where_that_is_open_too(viewer, qtbot, tmp_path):
    array = textured((4, 96, 128))
    array[:, :48] = array[:, :48].mean()
    other = tmp_path / "other.ome.tif"
    tifffile.imwrite(other, array[:, ::-1], metadata={"axes": "ZYX"})
    file = tmp_path / "moth.ome.tif"
    tifffile.imwrite(file, array, metadata={"axes": "ZYX"})
    with read_stack(file) as stack, fuse(stack, engine="laplacian-energy") as result:
        result.save(tmp_path / "moth.ome.zarr")
    for path in (other, file, tmp_path / "moth.ome.zarr"):
        for data, kwargs, _ in layers_of_path(str(path)):
            viewer.add_image(data, **kwargs)
    widget = docked(viewer, qtbot, FakeParts(HeldRestorer()))
    assert "Open its stack" in widget.page.words
    wait_for_mask(qtbot, widget)
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget)
    assert "contradiction" in widget.page.restored.made.layers


def test_in_a_real_window_it_goes_from_the_mask_to_files(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer(show=True)
    made = blurred_set(viewer)
    viewer.theme = "light"
    widget = docked(viewer, qtbot, FakeParts(HeldRestorer()))
    wait_for_mask(qtbot, widget)
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget)
    restored = widget.page.restored.made.layers["restored"][0]
    assert restored.name.endswith(AI_MARK)
    widget.page.restored.swipe_box.setChecked(True)
    picture = viewer.screenshot(canvas_only=True, flash=False)
    assert len(np.unique(picture[..., 0])) > 2
    layers = widget.page.restored.made.all_layers()
    viewer.window.remove_dock_widget(widget)
    assert not any("swipe" in name for name in names(viewer)), "the comparison ends with the dock"
    assert all(layer in viewer.layers for layer in layers), "what was made stays"
    viewer.layers.selection = set(layers)
    path = tmp_path / "restored.ome.zarr"
    assert viewer.layers.save(str(path), selected=True, plugin="napari-gmff")
    assert is_restored(open_result(path).provenance)
    assert made.layers["fused"][0] in viewer.layers


def test_a_dock_that_is_closed_takes_the_run_with_it(real_viewer, qtbot):
    viewer, restorer = real_viewer, HeldRestorer()
    blurred_set(viewer)
    before, files = names(viewer), temporary_results()
    widget = docked(viewer, qtbot, FakeParts(restorer))
    wait_for_mask(qtbot, widget)
    restorer.gate.clear()
    widget.page.panel.start.click()
    qtbot.waitUntil(restorer.is_held.is_set, timeout=WAIT_MS)
    viewer.window.remove_dock_widget(widget)
    restorer.gate.set()
    wait_for_threads()
    qtbot.wait(50)
    assert names(viewer) == before
    assert temporary_results() == files
    assert restorer.n_closed == 1
