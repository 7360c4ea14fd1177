"""Fusions without one choice of slices: their layers say so, and the docks say why they pass."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.correcting.correction import CorrectionWidget
from napari_gmff._napari.heights.surface import SurfaceWidget
from napari_gmff._napari.inspecting.inspector import FocusInspector
from napari_gmff._napari.layers.one_choice import why_no_one_choice
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

BLENDED = "computed from all slices by weighted-average"
OWN_CHOICE = "focused by itself"


@pytest.fixture
def viewer(qtbot):
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


def blend_in(viewer):
    return fused_set(viewer, engine="weighted-average")


def own_choices_in(viewer):
    one = textured((4, 96, 128))
    return fused_set(viewer, stack_of(np.stack([one, one[::-1]]), "CZYX"), channel="per-channel")


KINDS = pytest.mark.parametrize(
    ("add", "words"), [(blend_in, BLENDED), (own_choices_in, OWN_CHOICE)]
)


def test_the_layer_of_a_blend_says_what_it_is(viewer):
    made = blend_in(viewer)
    (layer,) = [layer for layers in made.layers.values() for layer in layers]
    assert layer.name == "relief fused (blended)"
    assert layer.metadata[METADATA_KEY]["provenance"]["pixels_copied"] is False


def test_each_channel_has_layers_of_its_own_maps(viewer):
    made = own_choices_in(viewer)
    for image in ("focus_index", "depth", "confidence", "fused"):
        names = [layer.name for layer in made.layers[image]]
        title = image.replace("_", " ")
        assert names == [f"relief {title} channel 0", f"relief {title} channel 1"]
    index = made.result.focus_index.compute()
    for channel, layer in enumerate(made.layers["focus_index"]):
        np.testing.assert_array_equal(np.asarray(layer.data), index[channel])


def test_a_fusion_with_one_choice_is_not_turned_away(viewer):
    assert why_no_one_choice(fused_set(viewer)) == ""
    assert why_no_one_choice(None) == ""


@KINDS
def test_the_inspector_says_why_there_is_nothing_to_inspect(viewer, qtbot, add, words):
    add(viewer)
    inspector = FocusInspector(viewer)
    qtbot.addWidget(inspector)
    inspector.show()
    assert inspector.result_set is None
    assert words in inspector.empty_words
    assert inspector.sets.isVisible()


@KINDS
def test_the_correction_dock_says_why_nothing_can_be_corrected(viewer, qtbot, add, words):
    add(viewer)
    widget = CorrectionWidget(viewer)
    qtbot.addWidget(widget)
    assert words in widget.words
    assert not widget.start.isEnabled()
    assert not widget.load.isEnabled()
    widget.start.click()
    assert widget.session is None


@KINDS
def test_the_heights_dock_says_why_there_are_no_heights(viewer, qtbot, add, words):
    add(viewer)
    widget = SurfaceWidget(viewer)
    qtbot.addWidget(widget)
    assert widget.heights() is None
    assert words in widget.words
    assert not widget.surface.button.isEnabled()


def test_another_fusion_can_be_picked_instead(viewer, qtbot):
    good = fused_set(viewer)
    blend = blend_in(viewer)
    inspector = FocusInspector(viewer)
    widget = CorrectionWidget(viewer)
    for dock in (inspector, widget):
        qtbot.addWidget(dock)
    for picker in (inspector.sets, widget.picker):
        picker.pick(blend)
        picker.pick(good)
    assert inspector.result_set is good
    assert inspector.empty_words == ""
    assert widget.start.isEnabled()
    inspector.sets.pick(blend)
    widget.picker.pick(blend)
    assert BLENDED in inspector.empty_words
    assert BLENDED in widget.words


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
@KINDS
def test_the_same_is_said_of_a_result_opened_from_disk(viewer, qtbot, tmp_path, format, add, words):
    path = add(viewer).result.save(tmp_path / "saved", format=format)
    viewer.layers.clear()
    for data, kwargs, _ in layers_of_saved(open_saved(path)):
        viewer.add_image(data, **kwargs)
    assert any("blended" in layer.name for layer in viewer.layers) == (words == BLENDED)
    inspector = FocusInspector(viewer)
    qtbot.addWidget(inspector)
    assert words in inspector.empty_words
