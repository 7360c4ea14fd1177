"""Results from disk have pixels and heights as a fresh fusion has, though no stack."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.heights.fused_picture import fused_picture, looks_of
from napari_gmff._napari.heights.height_map import HeightMap, scale_of
from napari_gmff._napari.layers.saved_fusions import SavedFusion, saved_fusions
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved
from napari_gmff.errors import SourceError
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


def reopened(made, path, format: str) -> tuple[ViewerModel, SavedFusion]:
    """Save a fusion and return a viewer with the layers of the file."""
    saved = open_saved(made.result.save(path, format=format))
    viewer = ViewerModel()
    for data, kwargs, _ in layers_of_saved(saved):
        viewer.add_image(data, **kwargs)
    (fusion,) = saved_fusions(viewer)
    return viewer, fusion


@pytest.mark.parametrize(
    ("format", "axes"),
    [("ome-zarr", "ZYX"), ("ome-zarr", "CZYX"), ("ome-tiff", "TZYX"), ("ome-tiff", "ZYXS")],
)
def test_heights_and_picture_are_those_of_the_fusion(format, axes, tmp_path):
    shape = {"ZYX": (4, 64, 96), "ZYXS": (3, 4, 64, 96)}.get(axes, (2, 4, 64, 96))
    array = textured(shape, "uint8")
    array = np.moveaxis(array, 0, -1) if axes == "ZYXS" else array
    fresh = ViewerModel()
    made = fused_set(fresh, stack_of(array, axes, voxel_size_um=(2.0, 0.5, 0.25)))
    viewer, fusion = reopened(made, tmp_path / "saved", format)
    assert fusion.any_layer() in viewer.layers
    assert scale_of(fusion.result) == scale_of(made.result)
    for time in range(made.images.specs["depth"].n_times):
        found, expected = (
            HeightMap(one.images, time, scale_of(one.result), 0.3)[:, :] for one in (fusion, made)
        )
        np.testing.assert_array_equal(found, expected)
        looks = looks_of(fusion)
        np.testing.assert_array_equal(
            fused_picture(fusion.images, time, looks, 0), fused_picture(made.images, time, looks, 0)
        )


@pytest.mark.parametrize(("format", "axes"), [("ome-zarr", "TCZYX"), ("ome-tiff", "ZYX")])
def test_fetched_pixels_are_in_memory_and_those_of_the_fusion(format, axes, tmp_path):
    shape = (2, 2, 4, 64, 96) if axes == "TCZYX" else (4, 64, 96)
    fresh = ViewerModel()
    made = fused_set(fresh, stack_of(textured(shape), axes, voxel_size_um=(2.0, 0.5, 0.25)))
    _, fusion = reopened(made, tmp_path / "saved", format)
    assert not fusion.images.is_fetched
    fusion.images.fetch()
    assert fusion.images.is_fetched
    for name in ("fused", "focus_index", "depth", "confidence"):
        levels = fusion.images.levels(name)
        for found, expected in zip(levels, made.images.levels(name), strict=True):
            assert isinstance(found, np.ndarray)
            np.testing.assert_array_equal(found, expected)


def test_a_place_in_the_viewer_is_the_pixel_of_the_saved_result(tmp_path):
    fresh = ViewerModel()
    made = fused_set(fresh, stack_of(textured((2, 4, 64, 96)), "TZYX", voxel_size_um=(2, 0.5, 1)))
    viewer, fusion = reopened(made, tmp_path / "saved.ome.zarr", "ome-zarr")
    layer = fusion.any_layer()
    for pixel in ((0, 0, 0), (1, 63, 95), (1, 10, 20)):
        world = layer.data_to_world(fusion.data_point(layer, *pixel))
        assert fusion.pixel_at(world) == pixel
    assert fusion.pixel_at((0, 0, -5, 0)) is None
    viewer.layers.clear()
    assert fusion.pixel_at((0, 0, 0, 0)) is None


def test_what_needs_the_stack_names_it(tmp_path):
    fresh = ViewerModel()
    _, fusion = reopened(fused_set(fresh), tmp_path / "saved.ome.zarr", "ome-zarr")
    assert "open relief and press Fuse" in fusion.needs_stack


def test_an_image_that_went_away_is_an_error_with_its_name(tmp_path):
    fresh = ViewerModel()
    _, fusion = reopened(fused_set(fresh), tmp_path / "saved.ome-tiff", "ome-tiff")
    for file in (tmp_path / "saved.ome-tiff").glob("*.ome.tif"):
        file.write_bytes(b"")
    with pytest.raises(SourceError, match=r"saved\.ome-tiff"):
        fusion.images.fetch()
    assert not fusion.images.is_fetched


def test_a_saved_result_is_one_fusion_as_long_as_it_has_layers(tmp_path):
    fresh = ViewerModel()
    viewer, fusion = reopened(fused_set(fresh), tmp_path / "saved.ome.zarr", "ome-zarr")
    assert saved_fusions(viewer, [fusion]) == [fusion]
    assert set(fusion.layers) == {"fused", "focus_index", "depth", "confidence"}
    viewer.layers.remove(fusion.layers["depth"][0])
    assert "depth" not in fusion.layers
    viewer.layers.clear()
    assert fusion.any_layer() is None
    assert saved_fusions(viewer, [fusion]) == []
