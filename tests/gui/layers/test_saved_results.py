"""Saved results open as the layers that they were."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff import open_result
from napari_gmff._napari.layers.result_layers import add_result_layers
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.saved_results import (
    SAVED_KEY,
    layers_of_saved,
    open_saved,
    saved_place,
)
from napari_gmff.errors import SourceError
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

FORMATS = ("ome-zarr", "ome-tiff")
STACKS = {
    "one channel": (lambda: textured((4, 300, 260)), "ZYX"),
    "two channels": (lambda: textured((2, 4, 90, 70)), "CZYX"),
    "time": (lambda: textured((3, 4, 90, 70)), "TZYX"),
    "time and channels": (lambda: textured((3, 2, 4, 90, 70)), "TCZYX"),
    "colour": (lambda: np.moveaxis(textured((3, 4, 90, 70), "uint8"), 0, -1), "ZYXS"),
    "real numbers": (lambda: textured((4, 90, 70), "float32"), "ZYX"),
}
SAME = ("name", "visible", "interpolation2d", "axis_labels", "rgb", "multiscale")


@pytest.fixture
def made():
    """Return a function that fuses one of the small stacks; its viewers live as long as a test."""
    viewers = []

    def make(key: str, **options):
        pixels, axes = STACKS[key]
        viewers.append(ViewerModel())
        stack = stack_of(pixels(), axes, **{"voxel_size_um": (2.0, 0.5, 0.25), **options})
        return fused_set(viewers[-1], stack, with_source=False)

    return make


def as_after_fusion(fused) -> ViewerModel:
    """Return a viewer with the layers that the fusion widget adds, by the facts of the result."""
    viewer, result = ViewerModel(), fused.result
    add_result_layers(viewer, fused.images, result.geometry, result.provenance, fused.name)
    return viewer


def reopened(path) -> ViewerModel:
    viewer = ViewerModel()
    for data, kwargs, _ in layers_of_saved(open_saved(path)):
        viewer.add_image(data, **kwargs)
    return viewer


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("key", STACKS)
def test_a_saved_result_opens_as_the_layers_of_the_fusion(made, key, format, tmp_path):
    fused = made(key)
    expected = as_after_fusion(fused)
    found = reopened(fused.result.save(tmp_path / "saved", format=format))
    assert len(found.layers) == len(expected.layers)
    for one, other in zip(found.layers, expected.layers, strict=True):
        for attribute in SAME:
            assert getattr(one, attribute) == getattr(other, attribute), attribute
        np.testing.assert_allclose(one.scale, other.scale)
        np.testing.assert_allclose(one.translate, other.translate)
        assert one.units == other.units
        if not one.rgb:
            np.testing.assert_allclose(one.contrast_limits, other.contrast_limits)
            np.testing.assert_allclose(one.colormap.colors, other.colormap.colors)
        facts, own = one.metadata[METADATA_KEY], other.metadata[METADATA_KEY]
        assert (facts["image"], facts["channel"]) == (own["image"], own["channel"])
        # napari has a blending of its own for whatever comes first.
        if facts["channel"]:
            assert one.blending == other.blending == "additive"
        assert facts["set"] is None
        assert facts["provenance"] == fused.result.provenance


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("key", STACKS)
def test_the_pixels_of_a_saved_result_are_those_of_the_fusion(made, key, format, tmp_path):
    fused = made(key)
    saved = open_saved(fused.result.save(tmp_path / "saved", format=format))
    assert set(saved.images) == set(fused.result.images)
    for name, spec in fused.result.images.items():
        assert saved.images[name].axes == spec.axes
        found = saved.levels[name][0].compute()
        np.testing.assert_array_equal(found, fused.result.image(name).compute(), strict=True)


@pytest.mark.parametrize("format", FORMATS)
def test_the_pyramid_of_the_file_is_the_pyramid_of_the_layer(made, format, tmp_path):
    fused = made("one channel")
    viewer = reopened(fused.result.save(tmp_path / "saved", format=format))
    assert all(layer.multiscale for layer in viewer.layers)
    shapes = [level.shape for level in viewer.layers["relief depth"].data]
    assert shapes == [(300, 260), (150, 130)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_saved_result_can_be_saved_again_in_either_format(made, format, tmp_path):
    fused = made("time and channels")
    saved = open_saved(fused.result.save(tmp_path / "saved", format=format))
    with saved.as_result() as result:
        again = open_result(result.save(tmp_path / "again.ome.zarr"))
    for name in fused.result.images:
        np.testing.assert_array_equal(
            again.image(name).compute(), fused.result.image(name).compute(), strict=True
        )
    assert again.provenance == fused.result.provenance
    assert again.geometry.pixel_size_um == fused.result.geometry.pixel_size_um
    assert [c.name for c in again.images["fused"].channels] == ["channel 0", "channel 1"]


def test_making_a_copy_leaves_no_temporary_store_behind(made, tmp_path):
    fused = made("colour")
    saved = open_saved(fused.result.save(tmp_path / "saved", format="ome-tiff"))
    with saved.as_result() as result:
        place = result.store_path
        assert place.is_dir()
    assert not place.exists()
    assert saved.path.is_dir()


def test_opening_reads_no_pixels(made, tmp_path, monkeypatch):
    import zarr

    folder = made("time").result.save(tmp_path / "saved.ome.zarr")

    def refuse(*_):
        raise AssertionError("pixels were read")

    monkeypatch.setattr(zarr.Array, "__getitem__", refuse)
    assert len(layers_of_saved(open_saved(folder))) == 4


def test_the_unit_of_depth_is_kept_where_the_step_is_unknown(made, tmp_path):
    fused = made("one channel", voxel_size_um=(None, None, None))
    for format in FORMATS:
        saved = open_saved(fused.result.save(tmp_path / format, format=format))
        assert saved.images["depth"].unit == "slice"
        assert saved.geometry.pixel_size_um == (None, None)


def test_only_results_of_this_program_are_recognised(tmp_path):
    (tmp_path / "provenance.json").write_text('{"program": "another"}')
    (tmp_path / "depth.ome.tif").write_bytes(b"II*\0")
    assert saved_place(tmp_path) is None
    assert saved_place(tmp_path / "depth.ome.tif") is None
    assert saved_place(tmp_path / "missing") is None


def test_a_result_without_its_images_is_refused_with_words(made, tmp_path):
    folder = made("one channel").result.save(tmp_path / "saved", format="ome-tiff")
    for file in folder.glob("*.ome.tif"):
        file.unlink()
    with pytest.raises(SourceError, match="its images are missing"):
        open_saved(folder)


def test_copies_of_a_layer_still_know_their_file(made, tmp_path):
    viewer = reopened(made("one channel").result.save(tmp_path / "saved", format="ome-tiff"))
    facts = viewer.layers[0].metadata[METADATA_KEY]
    assert copy.deepcopy(facts)[SAVED_KEY] is facts[SAVED_KEY]
