"""Layers of a restoration lie over the fused image, in its colours, whatever its axes are."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_gmff._napari.layers.restored_layers import (
    iter_add_restored_layers,
    limits_of,
    place_over,
)
from napari_gmff._napari.restoring.restoration_work import shown_pixels
from napari_gmff.marks import is_marked
from tests.gui.sets import fused_set
from tests.restoration.made_restorations import SPOT, made_restoration
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


def added(viewer, fused, tmp_path, **options):
    result = made_restoration(fused.result, tmp_path / "made", n_seeds=2)
    images = shown_pixels(result)
    return list(
        iter_add_restored_layers(
            viewer, images, result.geometry, result.provenance, "relief", fused.layers["fused"],
            limits=limits_of(images), **options,
        )
    )  # fmt: skip


def test_they_lie_above_all_others_and_only_the_restored_image_is_seen(viewer, tmp_path):
    fused = fused_set(viewer)
    before, selected = list(viewer.layers), set(viewer.layers.selection)
    layers = added(viewer, fused, tmp_path)
    assert list(viewer.layers) == [*before, *(layer for _, layer in layers)]
    assert [image for image, layer in layers if layer.visible] == ["restored"]
    assert set(viewer.layers.selection) == selected
    for image, layer in layers:
        assert is_marked(layer.name) == (image != "restoration_mask")
        np.testing.assert_array_equal(layer.extent.world, fused.layers["fused"][0].extent.world)


def test_the_restored_image_has_the_look_of_the_fused_one_and_differences_their_own(
    viewer, tmp_path
):
    fused = fused_set(viewer)
    fused.layers["fused"][0].contrast_limits = (100, 900)
    layers = dict(added(viewer, fused, tmp_path))
    assert layers["restored"].contrast_limits == [100, 900]
    low, high = layers["difference"].contrast_limits
    assert low == -high
    assert high == 500, "the spot is as much brighter or darker"
    assert layers["abs_difference"].contrast_limits[0] == 0


@pytest.mark.parametrize(("shape", "axes"), [((3, 4, 60, 70), "TZYX"), ((2, 4, 60, 70), "CZYX")])
def test_time_points_and_channels_are_arranged_as_those_of_the_fusion(
    viewer, tmp_path, shape, axes
):
    fused = fused_set(viewer, stack_of(textured(shape), axes))
    layers = [layer for image, layer in added(viewer, fused, tmp_path) if image == "restored"]
    for layer, over in zip(layers, fused.layers["fused"], strict=True):
        changed = layer.data != over.data
        assert changed.any(axis=tuple(range(changed.ndim - 2)))[SPOT].all()
        np.testing.assert_array_equal(layer.extent.world, over.extent.world)
        assert layer.axis_labels == over.axis_labels


def test_a_preview_is_marked_too(viewer, tmp_path):
    layers = added(viewer, fused_set(viewer), tmp_path, suffix=" (preview)")
    for image, layer in layers:
        assert "(preview)" in layer.name
        assert is_marked(layer.name) == (image != "restoration_mask")


def test_a_part_lies_where_it_was_cut_however_the_layer_is_turned():
    turned = Image(
        np.zeros((3, 1, 20, 30)),
        axis_labels=("t", "z", "y", "x"),
        scale=(1, 8, 0.5, 0.25),
        translate=(0, 3, 7, -2),
        rotate=30,
    )
    part = Image(np.zeros((1, 1, 4, 5)), **place_over(turned, (2, 6, 9)))
    np.testing.assert_allclose(
        part.data_to_world((0, 0, 1, 2)), turned.data_to_world((2, 0, 7, 11)), atol=1e-9
    )
