"""Saved restorations open as marked layers, are saved again with their marks, and not measured."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QComboBox

from napari_gmff import open_result
from napari_gmff._napari.correcting.correction import CorrectionWidget
from napari_gmff._napari.files.reader import read
from napari_gmff._napari.files.save_command import layers_of_fusion
from napari_gmff._napari.files.writer import save_layers, save_pictures
from napari_gmff._napari.heights.surface import SurfaceWidget
from napari_gmff._napari.inspecting.inspector import FocusInspector
from napari_gmff._napari.layers.layer_stacks import stack_of as stack_of_layer
from napari_gmff._napari.layers.layer_stacks import understood
from napari_gmff._napari.layers.one_choice import why_no_one_choice
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved, saved_place
from napari_gmff.errors import OutputError
from napari_gmff.export.layout import GENERATED, file_stem
from napari_gmff.marks import AI_MARK, RESTORED_SOURCE_TYPE
from napari_gmff.params import FORMATS
from napari_gmff.reading.generated import with_mark
from napari_gmff.restoration_result import RestorationResult
from tests.gui.restored import saved_restoration
from tests.gui.sets import fused_set
from tests.restoration.made_restorations import CONTRADICTION, SPREAD
from tests.stacks import stack_of, textured

REFUSED = "restored by a generative model"


@pytest.fixture(autouse=True)
def _plugins():
    PluginManager.instance().discover()


@pytest.fixture
def viewer(qtbot):
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


def restored_layers(viewer) -> list:
    """Return the layers that were opened from the restoration, from the bottom to the top."""
    return [one for one in viewer.layers if one.metadata.get(METADATA_KEY, {}).get("saved")]


def by_image(viewer, name):
    return next(
        one for one in restored_layers(viewer) if one.metadata[METADATA_KEY]["image"] == name
    )


@pytest.mark.parametrize("format", FORMATS)
def test_every_layer_of_what_a_model_made_is_marked(viewer, tmp_path, format):
    saved_restoration(viewer, tmp_path / "saved", format=format)
    layers = restored_layers(viewer)
    assert len(layers) == 8
    for layer in layers:
        facts = layer.metadata[METADATA_KEY]
        is_generated = facts["image"] in GENERATED
        assert layer.name.endswith(AI_MARK) == is_generated
        assert layer.name.count("AI-RESTORED") == int(is_generated)
        assert ("restored" in facts) == is_generated
        if is_generated:
            assert facts["restored"]["digital_source_type"] == RESTORED_SOURCE_TYPE
            assert facts["restored"]["record"]["seeds"] == [231, 232]
    assert layers[-2].name == f"relief restored {AI_MARK}"
    assert layers[-1].name == "relief restoration mask"
    shown = [layer.metadata[METADATA_KEY]["image"] for layer in layers if layer.visible]
    assert shown == ["fused", "restored"]
    assert by_image(viewer, "restored_mean").name == f"relief mean of 2 restorations {AI_MARK}"


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_of_several_channels_each_layer_is_marked_at_its_end(viewer, tmp_path, format):
    stack = stack_of(textured((2, 4, 90, 70)), "CZYX")
    saved_restoration(viewer, tmp_path / "saved", format=format, stack=stack)
    names = [one.name for one in restored_layers(viewer) if "restored channel" in one.name]
    assert names == [f"relief restored channel {number} {AI_MARK}" for number in (0, 1)]


def test_changes_are_shown_around_zero_and_amounts_from_zero(viewer, tmp_path):
    saved_restoration(viewer, tmp_path / "saved")
    change = by_image(viewer, "difference")
    low, high = change.contrast_limits
    assert low == -high and high >= 400
    np.testing.assert_allclose(change.colormap.map(np.array([0.5]))[0, :3], 1, atol=0.05)
    for name, planted in (("spread", SPREAD), ("contradiction", CONTRADICTION)):
        layer = by_image(viewer, name)
        assert layer.colormap.name == "magma"
        np.testing.assert_allclose(layer.contrast_limits, (0, planted), rtol=1e-3)


def test_a_restored_image_in_colour_is_shown_in_colour_and_its_difference_by_channels(
    viewer, tmp_path
):
    colours = np.moveaxis(textured((3, 4, 90, 70), "uint8"), 0, -1)
    saved_restoration(viewer, tmp_path / "saved", stack=stack_of(colours, "ZYXS"))
    assert by_image(viewer, "restored").rgb
    changes = [one for one in restored_layers(viewer) if "difference" in one.name]
    assert [one.ndim for one in changes] == [2, 2, 2]
    assert [one.metadata[METADATA_KEY]["channel"] for one in changes] == [0, 1, 2]


@pytest.mark.parametrize(("first", "second"), list(zip(FORMATS, reversed(FORMATS), strict=True)))
def test_marks_and_pixels_survive_the_viewer(viewer, tmp_path, first, second):
    stack = stack_of(textured((2, 4, 90, 70)), "CZYX", voxel_size_um=(2.0, 0.5, 0.25))
    saved_restoration(viewer, tmp_path / "first", format=first, stack=stack)
    described = [layer.as_layer_data_tuple() for layer in restored_layers(viewer)]
    save_layers(str(tmp_path / "second"), described, second)
    one, other = open_saved(tmp_path / "first"), open_saved(tmp_path / "second")
    assert set(one.images) == set(other.images)
    assert one.provenance == other.provenance
    for name, spec in other.images.items():
        assert (spec.title, spec.unit) == (one.images[name].title, one.images[name].unit)
        assert spec.title.endswith(AI_MARK) == (name in GENERATED)
        assert spec.channels == one.images[name].channels
        np.testing.assert_array_equal(
            other.levels[name][0].compute(), one.levels[name][0].compute(), strict=True
        )


def test_a_restored_layer_that_is_saved_alone_takes_fused_image_and_mask_along(viewer, tmp_path):
    saved_restoration(viewer, tmp_path / "saved")
    viewer.layers.selection = {by_image(viewer, "restored")}
    path = tmp_path / "alone.ome.zarr"
    viewer.layers.save(str(path), selected=True, plugin="napari-gmff")
    result = open_result(path)
    assert isinstance(result, RestorationResult)
    assert set(result.images) == {"restored", "fused", "restoration_mask"}
    again = read(str(path))
    assert [kwargs["name"].endswith(AI_MARK) for _, kwargs, _ in again] == [False, True, False]


def test_restored_and_fused_layers_are_not_saved_as_one_result(viewer, tmp_path):
    fused = saved_restoration(viewer, tmp_path / "saved")
    both = [fused.layers["fused"][0], by_image(viewer, "restored")]
    described = [layer.as_layer_data_tuple() for layer in both]
    with pytest.raises(OutputError, match="layers of one fusion are saved at a time"):
        save_layers(str(tmp_path / "both.ome.zarr"), described, "ome-zarr")


def test_a_fusion_on_disk_is_never_replaced_by_its_restoration(viewer, tmp_path):
    fused = saved_restoration(viewer, tmp_path / "saved")
    fused.result.save(tmp_path / "fused.ome.zarr")
    viewer.layers.selection.active = by_image(viewer, "restored")
    described = [layer.as_layer_data_tuple() for layer in layers_of_fusion(viewer)]
    with pytest.raises(OutputError, match="a restoration never replaces a fusion"):
        save_layers(str(tmp_path / "fused.ome.zarr"), described, "ome-zarr", overwrite=True)
    assert "depth" in open_result(tmp_path / "fused.ome.zarr").images


def test_pictures_of_restored_layers_are_marked(viewer, tmp_path):
    saved_restoration(viewer, tmp_path / "saved")
    described = [by_image(viewer, "restored").as_layer_data_tuple()]
    paths = save_pictures(str(tmp_path / "slide"), described, "png")
    assert f"{tmp_path}/slide.ai-restored.png" in paths


@pytest.mark.parametrize("format", ["ome-tiff", "imagej"])
def test_single_files_are_recognised_as_what_they_are(viewer, tmp_path, format):
    saved_restoration(viewer, tmp_path / "saved", format=format)
    for file in (tmp_path / "saved").glob("*.tif"):
        folder, image = saved_place(file)
        assert file.name.startswith(file_stem(image))
        ((_, kwargs, _),) = layers_of_saved(open_saved(folder), image)
        assert kwargs["name"].endswith(AI_MARK) == ("ai-restored" in file.name)


def test_docks_refuse_a_restoration_and_say_why(viewer, tmp_path, qtbot):
    saved_restoration(viewer, tmp_path / "saved")
    docks = [FocusInspector(viewer), SurfaceWidget(viewer)]
    for dock in docks:
        qtbot.addWidget(dock)
        dock.show()
    viewer.layers.selection.active = by_image(viewer, "restored")
    inspector, heights = docks
    listed = inspector.sets.findChild(QComboBox)
    names = [listed.itemText(number) for number in range(listed.count())]
    assert names == ["relief", f"relief restored {AI_MARK}"]
    assert inspector.result_set is None and REFUSED in inspector.empty_words
    assert heights.heights() is None and REFUSED in heights.words
    assert not heights.surface.button.isEnabled()
    assert not heights.profile.draw.isEnabled()


def test_the_correction_dock_says_that_it_corrects_the_fusion(viewer, tmp_path, qtbot):
    fused = saved_restoration(viewer, tmp_path / "saved")
    widget = CorrectionWidget(viewer)
    qtbot.addWidget(widget)
    viewer.layers.selection.active = by_image(viewer, "restored")
    assert widget.picker.result_set is fused
    assert REFUSED in widget.picker.words and "of the fusion relief" in widget.picker.words
    viewer.layers.selection.active = fused.layers["fused"][0]
    assert widget.picker.words == ""


def test_a_restored_file_that_was_moved_opens_as_a_marked_layer(viewer, tmp_path):
    stack = stack_of(textured((2, 4, 90, 70)), "CZYX")
    saved_restoration(viewer, tmp_path / "saved", format="ome-tiff", stack=stack)
    moved = shutil.copy(tmp_path / "saved" / "ai-restored.ome.tif", tmp_path / "moth.ome.tif")
    layers = read(moved)
    assert [kwargs["name"] for _, kwargs, _ in layers] == [
        f"moth channel {number} {AI_MARK}" for number in (0, 1)
    ]
    assert all("gmff_restored" in kwargs["metadata"] for _, kwargs, _ in layers)
    unmarked = read(shutil.copy(tmp_path / "saved" / "fused.ome.tif", tmp_path / "a.ome.tif"))
    assert [kwargs["name"] for _, kwargs, _ in unmarked] == ["a channel 0", "a channel 1"]


def test_a_stack_made_of_restored_layers_is_still_restored(viewer):
    pixels = textured((4, 96, 128))
    layer = viewer.add_image(pixels, name=f"moth restored {AI_MARK}")
    stack = stack_of_layer(understood(layer, viewer.layers))
    assert stack.is_restored
    layer.name = "moth"
    assert not stack_of_layer(understood(layer, viewer.layers)).is_restored


def test_docks_refuse_what_was_fused_from_restored_slices(viewer, qtbot, tmp_path):
    stack = with_mark(stack_of(textured((4, 96, 128))))
    made = fused_set(viewer, stack)
    names = [layer.name for layers in made.layers.values() for layer in layers]
    assert all(name.endswith(AI_MARK) for name in names)
    assert REFUSED in why_no_one_choice(made)
    path = made.result.save(tmp_path / "saved", format="ome-tiff")
    viewer.layers.clear()
    for data, kwargs, _ in layers_of_saved(open_saved(path)):
        viewer.add_image(data, **kwargs)
    assert all(layer.name.endswith(AI_MARK) for layer in viewer.layers)
    inspector = FocusInspector(viewer)
    qtbot.addWidget(inspector)
    assert REFUSED in inspector.empty_words
