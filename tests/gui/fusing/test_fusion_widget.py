"""The dock in a real window: open a stack, press *Fuse*, see the result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_gmff import FuseParams, fuse
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff._napari.layers.result_sets import METADATA_KEY, set_of
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack
from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.reading.stack import Channel
from tests.gui.fusion_dock import (
    NAMES,
    WAIT_MS,
    add_stack,
    docked,
    fuse_and_wait,
    names,
    notices,
    wait_for_end,
    wait_for_threads,
)
from tests.stacks import stack_of as array_stack
from tests.stacks import textured


def test_open_a_stack_press_fuse_and_see_the_result(viewer, qtbot):
    widget = docked(viewer)
    source = add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    assert names(viewer) == ["relief", *NAMES]
    with fuse(stack_of(understood(source)), engine=CLASSICAL_ENGINE) as expected:
        for layer in viewer.layers[1:]:
            image = layer.metadata[METADATA_KEY]["image"]
            np.testing.assert_array_equal(layer.data, expected.image(image).compute())
            np.testing.assert_allclose(layer.scale, (0.5, 0.5))
            np.testing.assert_allclose(layer.translate, (3.0, 4.0))
            assert layer.units == source.units[1:]
        provenance = viewer.layers["relief depth"].metadata[METADATA_KEY]["provenance"]
        assert provenance["source"]["fingerprint"] == expected.provenance["source"]["fingerprint"]
    assert viewer.layers["relief depth"].contrast_limits == [10.0, 16.0]  # µm, as the source's z
    assert notices() == []


def test_channels_of_a_stack_are_fused_together_and_shown_as_they_were(viewer, qtbot):
    array = np.stack([textured(seed=1), textured(seed=2)])
    stack = array_stack(array, axes="CZYX", voxel_size_um=(2, 0.5, 0.5))
    stack = replace(stack, channels=(Channel("DAPI", "0000FF"), Channel("actin", "00FF00")))
    widget = docked(viewer)
    for data, kwargs, _ in layers_of_stack(StackSource(stack), "cells"):
        viewer.add_image(data, **kwargs)
    choices = [words for words, _ in widget.form.editor("channel").choices()]
    assert choices[1:] == ["each by itself", "DAPI", "actin"]
    widget.form.editor("channel").set_value("actin")
    fuse_and_wait(qtbot, widget)
    fused = [layer for layer in viewer.layers if " fused " in layer.name]
    assert [layer.name for layer in fused] == ["cells fused DAPI", "cells fused actin"]
    assert [layer.colormap.name for layer in fused] == ["blue", "green"]
    made = set_of(fused[0])
    assert made.params.channel == "actin"
    assert made.source_layers == list(viewer.layers[:2])


def test_a_blend_is_one_layer_whose_name_says_what_it_is(viewer, qtbot):
    widget = docked(viewer, engine="weighted-average")
    source = add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    assert names(viewer) == ["relief", "relief fused (blended)"]
    layer = viewer.layers[1]
    with fuse(stack_of(understood(source)), engine="weighted-average") as expected:
        np.testing.assert_array_equal(layer.data, expected.fused.compute())
    assert layer.metadata[METADATA_KEY]["provenance"]["pixels_copied"] is False
    assert not widget.form.editor("weights").isEnabled()
    assert notices() == []


def test_each_channel_by_itself_gets_maps_of_its_own(viewer, qtbot):
    stack = array_stack(np.stack([textured(seed=1), textured(seed=2)[::-1]]), axes="CZYX")
    widget = docked(viewer)
    for data, kwargs, _ in layers_of_stack(StackSource(stack), "cells"):
        viewer.add_image(data, **kwargs)
    widget.form.editor("channel").set_value("per-channel")
    fuse_and_wait(qtbot, widget)
    made = set_of(viewer.layers[-1])
    assert made.params.channel == "per-channel"
    with fuse(stack, engine=CLASSICAL_ENGINE, channel="per-channel") as expected:
        index = expected.focus_index.compute()
    for channel, layer in enumerate(made.layers["focus_index"]):
        np.testing.assert_array_equal(layer.data, index[channel])
    assert notices() == []


def test_a_rectangle_is_fused_and_lies_where_it_was_drawn(viewer, qtbot):
    widget = docked(viewer)
    source = add_stack(viewer)
    corners = [[3 + 0.5 * y, 4 + 0.5 * x] for y, x in ((9.5, 4.5), (9.5, 54.5), (59.5, 54.5),
                                                       (59.5, 4.5))]  # fmt: skip
    viewer.add_shapes([np.array(corners)], name="part")
    widget.form.editor("region").focusProxy().setCurrentIndex(1)
    fuse_and_wait(qtbot, widget)
    fused = viewer.layers["relief fused"]
    assert fused.data.shape == (50, 50)
    np.testing.assert_allclose(fused.data_to_world((0, 0)), source.data_to_world((0, 10, 5))[1:])
    whole = fuse(stack_of(understood(source)), engine=CLASSICAL_ENGINE)
    np.testing.assert_array_equal(fused.data, whole.fused.compute()[10:60, 5:55])
    whole.close()


def test_a_preview_is_the_part_around_the_middle_of_the_canvas(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    widget = docked(viewer)
    source = add_stack(viewer, textured((3, 900, 1000)))
    viewer.scene.camera.center = (0, 3 + 0.5 * 500, 4 + 0.5 * 400)
    viewer.scene.camera.zoom = 20
    widget.panel.preview.click()
    wait_for_end(qtbot, widget)
    fused = viewer.layers["relief fused (preview)"]
    height, width = fused.data[0].shape if fused.multiscale else fused.data.shape
    assert (height, width) == (512, 512)
    corner = source.world_to_data((0, *fused.data_to_world((0, 0))))[1:]
    assert np.abs(corner - (500 - 256, 400 - 256)).max() <= 2
    wait_for_threads()


def test_what_cannot_be_fused_cannot_be_started(viewer, qtbot):
    widget = docked(viewer)
    assert not widget.panel.fuse.isEnabled()
    viewer.add_image(np.zeros((90, 70)))
    assert "no Z axis" in widget.picker.problems
    assert not widget.panel.fuse.isEnabled()
    layer = add_stack(viewer)
    assert widget.panel.fuse.isEnabled()
    widget.form.set_values({"engine": CLASSICAL_ENGINE, "time": (5, 6)})
    assert "outside the 1 time points of relief" in widget.form.error_of("time")
    assert not widget.panel.fuse.isEnabled()
    widget.form.set_values({"engine": CLASSICAL_ENGINE})
    assert widget.panel.fuse.isEnabled()
    viewer.layers.remove(layer)
    assert not widget.panel.fuse.isEnabled()


def test_the_step_that_was_entered_makes_depth_micrometres(viewer, qtbot):
    widget = docked(viewer)
    viewer.add_image(textured(), name="relief", contrast_limits=(0, 65535))
    fuse_and_wait(qtbot, widget)
    assert set_of(viewer.layers["relief depth"]).result.depth_unit == "slice"
    widget.picker.enter_step(0.5)
    fuse_and_wait(qtbot, widget)
    made = set_of(viewer.layers["relief depth"])
    assert made.result.depth_unit == "µm"
    np.testing.assert_allclose(made.result.z_positions, np.arange(4) * 0.5)


def test_the_time_it_will_take_is_said_beside_the_stack(viewer, qtbot):
    widget = docked(viewer, estimates=True)
    add_stack(viewer)
    qtbot.waitUntil(lambda: "on this CPU" in widget.picker.words, timeout=WAIT_MS)
    assert widget.picker.words.startswith("4 slices · 2 µm step · 16 bit · 70×90 · ")


def test_everything_fits_into_a_dock_of_300_pixels(viewer, qtbot):
    widget = docked(viewer)
    add_stack(viewer, units=("pixel",) * 3)
    widget.form._toggle.setChecked(True)
    qtbot.wait(50)
    assert widget.minimumSizeHint().width() <= 300
    form = widget.form
    assert form.minimumSizeHint().width() <= 280


def test_a_viewer_closes_without_a_trace_of_the_dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    widget = docked(viewer)
    add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    folder = set_of(viewer.layers["relief fused"]).result.store_path
    del widget
    wait_for_threads()
    viewer.close()
    assert not folder.exists()


def test_defaults_come_from_the_preferences(make_napari_viewer, monkeypatch):
    from napari_gmff._napari.fusing import fusion_widget

    monkeypatch.setattr(
        fusion_widget, "plugin_settings", lambda: {"engine": CLASSICAL_ENGINE, "block_px": 512}
    )
    widget = fusion_widget.FusionWidget(make_napari_viewer())
    assert widget.form.values() == FuseParams(engine=CLASSICAL_ENGINE, block_px=512)
    widget.close()
    wait_for_threads()


def test_install_open_a_sample_press_fuse_and_see_the_result(viewer, qtbot):
    _, widget = viewer.window.add_plugin_dock_widget("napari-gmff", "Fuse focus stack")
    viewer.open_sample("napari-gmff", "relief")
    assert widget.picker.problems == ""
    widget.form.editor("engine").set_value(CLASSICAL_ENGINE)  # the default takes longer here
    widget.form.editor("region").set_value(((0, 96), (0, 128)))
    fuse_and_wait(qtbot, widget)
    fused = [layer for layer in viewer.layers if layer.name.endswith(" fused")]
    assert len(fused) == 1
    assert set_of(fused[0]).source_layers == [viewer.layers[0]]
