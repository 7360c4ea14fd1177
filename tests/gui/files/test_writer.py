"""Writing fusions from napari, and opening them again."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_gmff import fuse, open_result, read_stack
from napari_gmff._napari.files.writer import save_layers
from napari_gmff._napari.layers.saved_results import open_saved
from napari_gmff.errors import OutputError
from napari_gmff.params import FORMATS
from napari_gmff.provenance import read_provenance
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

PLUGIN = "napari-gmff"
ENDINGS = (".ome.zarr", ".ome-tiff")


@pytest.fixture(autouse=True)
def _plugins():
    """Make the plugins known, as a window of napari does."""
    PluginManager.instance().discover()


@pytest.fixture
def viewer():
    """Return a viewer with a stack and its fusion, of two channels."""
    viewer = ViewerModel()
    stack = stack_of(textured((2, 4, 90, 70)), "CZYX", voxel_size_um=(2.0, 0.5, 0.25))
    fused_set(viewer, stack)
    return viewer


def result_layers(viewer: ViewerModel, *names: str) -> list:
    """Return layers of the fusion, all of them or those of some images."""
    found = [layer for layer in viewer.layers if "gmff" in layer.metadata]
    return [one for one in found if not names or one.metadata["gmff"]["image"] in names]


def save(viewer: ViewerModel, layers: list, path) -> list[str]:
    """Save layers as *Save selected layers* does."""
    viewer.layers.selection = set(layers)
    return viewer.layers.save(str(path), selected=True, plugin=PLUGIN)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_layers_of_a_fusion_are_saved_as_its_complete_result(viewer, tmp_path, ending):
    path = tmp_path / f"saved{ending}"
    assert save(viewer, result_layers(viewer), path) == [str(path)]
    made = next(iter(_sets(viewer))).result
    saved = open_saved(path)
    assert set(saved.images) == set(made.images)
    for name in made.images:
        found = saved.levels[name][0].compute()
        np.testing.assert_array_equal(found, made.image(name).compute(), strict=True)
    assert read_provenance(path) == made.provenance
    assert saved.geometry.pixel_size_um == (0.5, 0.25)
    assert [channel.name for channel in saved.images["fused"].channels] == [
        "channel 0",
        "channel 1",
    ]


def _sets(viewer):
    from napari_gmff._napari.layers.result_sets import result_sets

    return result_sets(viewer)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_saved_opens_again_as_the_same_layers(viewer, tmp_path, ending):
    path = tmp_path / f"saved{ending}"
    before = result_layers(viewer)
    save(viewer, before, path)
    second = ViewerModel()
    again = second.open(path, plugin=PLUGIN)
    assert {layer.name for layer in again} == {layer.name for layer in before}
    by_name = {layer.name: layer for layer in before}
    for layer in again:
        other = by_name[layer.name]
        np.testing.assert_allclose(layer.scale, other.scale)
        np.testing.assert_allclose(layer.translate, other.translate)
        assert layer.units == other.units
        assert layer.visible == other.visible
        np.testing.assert_array_equal(np.asarray(layer.data), np.asarray(other.data))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_opens_again_as_the_same_layers_at_the_same_place(viewer, tmp_path, format):
    before = result_layers(viewer)
    described = [layer.as_layer_data_tuple() for layer in before]
    save_layers(str(tmp_path / "saved"), described, format)
    again = ViewerModel().open(tmp_path / "saved", plugin=PLUGIN)
    assert {layer.name for layer in again} == {layer.name for layer in before}
    by_name = {layer.name: layer for layer in before}
    for layer in again:
        other = by_name[layer.name]
        np.testing.assert_allclose(layer.scale, other.scale)
        np.testing.assert_allclose(layer.translate, other.translate, atol=1e-9)
        assert layer.units == other.units
        np.testing.assert_array_equal(np.asarray(layer.data), np.asarray(other.data), strict=True)


def test_a_result_in_shards_opens_as_one_without(tmp_path):
    viewer = ViewerModel()
    made = fused_set(viewer, stack_of(textured((4, 700, 600)), voxel_size_um=(2.0, 0.5, 0.5)))
    made.result.save(tmp_path / "saved", shard_px=512)
    again = ViewerModel().open(tmp_path / "saved", plugin=PLUGIN)
    (fused,) = [layer for layer in again if layer.name == "relief fused"]
    assert fused.multiscale
    np.testing.assert_allclose(fused.scale, (0.5, 0.5))
    np.testing.assert_array_equal(np.asarray(fused.data[0]), made.result.fused.compute())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_result_within_its_stack_opens_from_its_own_folder(tmp_path, version):
    stack = tmp_path / "stack.ome.zarr"
    group = zarr.open_group(str(stack), mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", data=textured((4, 90, 70)))
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    scale = {"type": "scale", "scale": [2.0, 0.5, 0.25]}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    facts = {"multiscales": [{"version": version, "axes": axes, "datasets": datasets}]}
    group.attrs.update(facts if version == "0.4" else {"ome": {"version": "0.5", **facts}})
    with read_stack(stack) as one, fuse(one, engine="laplacian-energy") as result:
        folder = result.append_to(stack)
        expected = result.fused.compute()
    layers = {layer.name: layer for layer in ViewerModel().open(folder, plugin=PLUGIN)}
    assert set(layers) >= {"stack fused", "stack focus index", "stack depth", "stack confidence"}
    np.testing.assert_allclose(layers["stack fused"].scale, (0.5, 0.25))
    np.testing.assert_array_equal(np.asarray(layers["stack fused"].data), expected)
    slices = ViewerModel().open(stack, plugin=PLUGIN)
    assert slices[0].data.shape[-3:] == (4, 90, 70)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_single_layer_is_saved_alone(viewer, tmp_path, ending):
    path = tmp_path / f"index{ending}"
    save(viewer, result_layers(viewer, "focus_index"), path)
    assert set(open_saved(path).images) == {"focus_index"}
    (layer,) = ViewerModel().open(path, plugin=PLUGIN)
    assert layer.name == "relief focus index"


def test_depth_brings_its_confidence_with_it(viewer, tmp_path):
    save(viewer, result_layers(viewer, "depth"), tmp_path / "depth.ome.zarr")
    assert set(open_saved(tmp_path / "depth.ome.zarr").images) == {"depth", "confidence"}


@pytest.mark.parametrize("second", ENDINGS)
@pytest.mark.parametrize("first", ENDINGS)
def test_a_reopened_result_can_be_saved_again(viewer, tmp_path, first, second):
    save(viewer, result_layers(viewer), tmp_path / f"one{first}")
    reopened = ViewerModel()
    reopened.open(tmp_path / f"one{first}", plugin=PLUGIN)
    save(reopened, list(reopened.layers), tmp_path / f"two{second}")
    one, two = open_saved(tmp_path / f"one{first}"), open_saved(tmp_path / f"two{second}")
    assert one.provenance == two.provenance
    for name in one.images:
        np.testing.assert_array_equal(
            one.levels[name][0].compute(), two.levels[name][0].compute(), strict=True
        )


def test_nothing_that_exists_is_ever_replaced(viewer, tmp_path):
    path = tmp_path / "saved.ome.zarr"
    path.mkdir()
    (path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="already exists"):
        save(viewer, result_layers(viewer), path)
    assert (path / "mine.txt").read_text() == "keep"
    other = tmp_path / "again.ome.zarr"
    save(viewer, result_layers(viewer), other)
    with pytest.raises(OutputError, match="already exists"):
        save(viewer, result_layers(viewer, "depth"), other)
    assert "fused" in open_result(other).images


def test_a_result_cannot_be_saved_over_itself(viewer, tmp_path):
    path = tmp_path / "saved.ome.zarr"
    save(viewer, result_layers(viewer), path)
    reopened = ViewerModel()
    reopened.open(path, plugin=PLUGIN)
    described = [layer.as_layer_data_tuple() for layer in reopened.layers]
    with pytest.raises(OutputError, match="must lie apart"):
        save_layers(str(path), described, "ome-zarr", overwrite=True)
    assert set(open_result(path).images) >= {"fused", "depth"}


def test_other_layers_are_refused_with_the_way_out(viewer, tmp_path):
    source = [layer for layer in viewer.layers if "gmff" not in layer.metadata]
    with pytest.raises(OutputError, match="is none; select"):
        save(viewer, source, tmp_path / "x.ome.zarr")
    with pytest.raises(OutputError, match="is none; select"):
        save(viewer, list(viewer.layers), tmp_path / "x.ome.zarr")
    assert list(tmp_path.iterdir()) == []


def test_layers_of_two_fusions_are_not_mixed(viewer, tmp_path):
    fused_set(viewer, with_source=False)
    with pytest.raises(OutputError, match="one fusion are saved at a time"):
        save(viewer, result_layers(viewer), tmp_path / "x.ome.zarr")


def test_layers_without_their_fusion_say_so(viewer, tmp_path):
    from napari.layers import Image

    lone = ViewerModel()
    facts = {"set": "gone", "image": "depth", "channel": None, "provenance": {}}
    lone.add_layer(Image(np.zeros((8, 8)), metadata={"gmff": facts}, name="depth copy"))
    with pytest.raises(OutputError, match="depth copy"):
        save(lone, list(lone.layers), tmp_path / "x.ome.zarr")


def test_a_failed_save_leaves_nothing_behind(viewer, tmp_path, monkeypatch):
    from napari_gmff.export import saving

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "finish_ome_zarr", fail)
    with pytest.raises(OutputError, match="No space left"):
        save(viewer, result_layers(viewer), tmp_path / "x.ome.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "plugin"), [("a.ome.zarr", PLUGIN), ("a.ome-tiff", PLUGIN), ("a.tif", "napari")]
)
def test_napari_finds_the_writer_by_the_ending_and_leaves_others_alone(name, plugin):
    n_layers = 4 if plugin == PLUGIN else 1
    writer, _ = PluginManager.instance().get_writer(name, ["image"] * n_layers)
    assert writer.plugin_name == plugin


def test_an_image_saved_without_an_ending_still_goes_to_napari():
    writer, _ = PluginManager.instance().get_writer("plain", ["image"])
    assert writer.plugin_name == "napari"
