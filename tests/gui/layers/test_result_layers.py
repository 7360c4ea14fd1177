"""Layers of results: what they show, in which colours, and exactly over their source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff import FuseParams, fuse
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff._napari.layers.result_layers import (
    add_result_layers,
    layer_channels,
    layer_levels,
    place_of_result,
    result_layer_kwargs,
)
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack
from napari_gmff.live_images import LiveImages
from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.reading.stack import Channel
from tests.gui.fusion_dock import PLACE
from tests.stacks import stack_of as array_stack
from tests.stacks import textured

PARAMS = FuseParams(engine=CLASSICAL_ENGINE)


def filled(result) -> LiveImages:
    """Return the images of a result in memory."""
    images = LiveImages(result.images.values())
    for name, spec in result.images.items():
        pixels = result.image(name).compute()
        for time in range(spec.n_times):
            block = pixels[time] if "t" in spec.axes else pixels
            whole = tuple(slice(0, side) for side in spec.shape_yx)
            images.put(name, time, whole, block)
    return images


def shown(viewer, stack, view=None, params=PARAMS, **options):
    """Fuse and add the layers; return them with the images in memory and the record."""
    with fuse(stack, params=params) as result:
        images = filled(result)
        layers = add_result_layers(
            viewer, images, result.geometry, result.provenance, "relief", view=view, **options
        )
        return layers, images, result.provenance


def test_the_four_layers_have_their_names_the_fused_image_on_top_confidence_hidden():
    viewer = ViewerModel()
    layers, _, _ = shown(viewer, array_stack(textured(), voxel_size_um=(2, 0.5, 0.5)))
    assert [layer.name for layer in viewer.layers] == [
        "relief confidence",
        "relief depth",
        "relief focus index",
        "relief fused",
    ]
    assert list(layers) == ["fused", "focus_index", "depth", "confidence"]
    assert [layer.visible for layer in viewer.layers] == [False, True, True, True]


def test_layers_show_the_pixels_in_memory_themselves():
    viewer = ViewerModel()
    layers, images, _ = shown(viewer, array_stack(textured((3, 300, 400))))
    for name, (layer,) in layers.items():
        assert layer.multiscale
        for seen, kept in zip(layer.data, images.levels(name), strict=True):
            assert np.shares_memory(np.asarray(seen), kept), name


def test_each_layer_says_what_it_is_and_how_it_was_made():
    layers, _, provenance = shown(ViewerModel(), array_stack(textured()), set_id="abc")
    for name, (layer,) in layers.items():
        facts = layer.metadata[METADATA_KEY]
        assert facts["set"] == "abc"
        assert facts["image"] == name
        assert facts["channel"] is None
        assert facts["provenance"] is provenance


def test_limits_and_interpolation_let_every_value_be_read():
    z_um = np.array([30.0, 20.0, 10.0, 0.0])
    stack = replace(array_stack(textured()), z_positions_um=z_um)
    layers, _, _ = shown(ViewerModel(), stack)
    (index,), (depth,), (confidence,) = (
        layers[name] for name in ("focus_index", "depth", "confidence")
    )
    assert index.contrast_limits == [-0.5, 3.5]
    assert index.interpolation2d == "nearest"
    assert index.colormap.interpolation == "zero"
    assert len(index.colormap.colors) == 4
    assert depth.contrast_limits == [0, 30]
    assert confidence.contrast_limits == [0, 1]


def test_a_slice_range_spreads_the_colours_over_its_slices():
    layers, _, _ = shown(
        ViewerModel(), array_stack(textured((8, 64, 64))),
        params=PARAMS.model_copy(update={"z_range": (2, 6)}),
    )  # fmt: skip
    (index,) = layers["focus_index"]
    assert index.contrast_limits == [1.5, 5.5]
    assert len(index.colormap.colors) == 4


def test_a_single_slice_can_be_shown():
    layers, _, _ = shown(ViewerModel(), array_stack(textured((1, 64, 64))))
    assert layers["focus_index"][0].contrast_limits == [-0.5, 0.5]


def test_channels_are_shown_as_those_of_the_source():
    array = np.stack([textured(seed=1), textured(seed=2)])
    stack = array_stack(array, axes="CZYX", voxel_size_um=(2, 0.5, 0.5))
    channels = (Channel("DAPI", "0000FF"), Channel("actin", "FFAA00"))
    source = StackSource(replace(stack, channels=channels))
    viewer = ViewerModel()
    for data, kwargs, _ in layers_of_stack(source, "cells"):
        viewer.add_image(data, **kwargs)
    viewer.layers[1].contrast_limits = (7, 77)
    viewer.layers[1].gamma = 0.5
    view = understood(viewer.layers[0], viewer.layers)
    layers, _, _ = shown(viewer, source.lend(), view)
    first, second = layers["fused"]
    assert [first.name, second.name] == ["relief fused DAPI", "relief fused actin"]
    assert first.colormap.name == "blue"
    np.testing.assert_allclose(second.colormap.colors, viewer.layers[1].colormap.colors)
    assert second.contrast_limits == [7, 77]
    assert second.gamma == 0.5
    # The first covers the source below, to which the second would be added.
    assert (first.blending, second.blending) == ("opaque", "additive")
    np.testing.assert_array_equal(first.data.shape, (90, 70))


def test_channels_within_one_layer_get_colours_and_the_limits_of_the_layer():
    array = np.stack([textured(seed=1), textured(seed=2)])
    viewer = ViewerModel()
    layer = viewer.add_image(array, axis_labels=("c", "z", "y", "x"), contrast_limits=(5, 500))
    view = understood(layer)
    layers, _, _ = shown(viewer, stack_of(view), view)
    assert [one.colormap.name for one in layers["fused"]] == ["magenta", "green"]
    assert all(one.contrast_limits == [5, 500] for one in layers["fused"])


def test_colour_pictures_are_one_rgb_layer():
    array = np.stack([textured((4, 90, 70), "uint8", seed) for seed in range(3)], axis=-1)
    viewer = ViewerModel()
    layers, images, _ = shown(viewer, array_stack(array, axes="ZYXS"))
    (fused,) = layers["fused"]
    assert fused.rgb
    np.testing.assert_array_equal(np.moveaxis(fused.data, -1, 0), images.levels("fused")[0])


def test_an_affine_rotation_and_a_falling_axis_put_every_corner_over_the_source():
    array = textured((4, 90, 70))
    viewer = ViewerModel()
    affine = np.array([[1, 0, 0, 5.0], [0, 0, -2, 1.0], [0, 1.5, 0, 2.0], [0, 0, 0, 1]])
    source = viewer.add_image(
        array, scale=(3, -0.5, 0.4), translate=(1, 7, 8), affine=affine,
        axis_labels=("z", "y", "x"), units=("um",) * 3,
    )  # fmt: skip
    view = understood(source)
    region = ((10, 60), (5, 45))
    params = PARAMS.model_copy(update={"region": region})
    layers, _, _ = shown(viewer, stack_of(view), view, params, first=(0, 10, 5))
    for (layer,) in layers.values():
        assert layer.data.shape == (50, 40)
        for y, x in ((0, 0), (49, 39), (0, 39)):
            expected = source.data_to_world((0, 10 + y, 5 + x))[1:]
            np.testing.assert_allclose(layer.data_to_world((y, x)), expected)
        assert layer.units == source.units[1:]


@pytest.mark.parametrize("with_view", [True, False], ids=["over its source", "alone"])
def test_time_points_become_the_axis_t_and_meet_every_slice(with_view):
    array = np.stack([textured((4, 90, 70), seed=seed) for seed in range(3)])
    viewer = ViewerModel()
    source = viewer.add_image(
        array, axis_labels=("t", "z", "y", "x"), scale=(1, *PLACE["scale"]),
        translate=(0, *PLACE["translate"]), units=("pixel", *PLACE["units"]),
    )  # fmt: skip
    view = understood(source)
    layers, images, _ = shown(viewer, stack_of(view), view if with_view else None)
    (index,) = layers["focus_index"]
    assert index.data.shape == (3, 1, 90, 70)
    assert index.axis_labels == ("t", "z", "y", "x")
    for time in range(3):
        for number in range(4):
            spot = source.data_to_world((time, number, 40, 30))
            expected = images.levels("focus_index")[0][time, 40, 30]
            assert index.get_value(spot, world=True) is not None
            viewer.dims.point = spot
            assert index.get_value(spot, world=True) == expected


def test_place_of_a_saved_result_is_in_micrometres_only_where_they_are_known():
    with fuse(array_stack(textured()), params=PARAMS) as result:
        place = place_of_result(result.images["depth"], result.geometry, result.provenance)
    assert place["scale"] == [1.0, 1.0]
    assert place["units"] == ["pixel", "pixel"]


def test_kwargs_make_the_same_layer_without_its_source():
    with fuse(array_stack(textured(), voxel_size_um=(2, 0.5, 0.25)), params=PARAMS) as result:
        spec = result.images["fused"]
        assert layer_channels(spec, result.geometry) == [None]
        kwargs = result_layer_kwargs(spec, result.geometry, result.provenance, "relief")
        levels = layer_levels(spec, result.geometry, [result.fused], None)
    layer = ViewerModel().add_image(levels[0], **kwargs)
    low, high = result.provenance["inputs"][0]["range"]
    assert layer.contrast_limits == [low, high]
    np.testing.assert_allclose(layer.scale, (0.5, 0.25))
    assert str(layer.units[0]) == "micrometer"
    assert layer.metadata[METADATA_KEY]["set"] is None


def test_what_was_selected_stays_selected():
    viewer = ViewerModel()
    one = viewer.add_image(textured())
    viewer.add_image(textured())
    viewer.layers.selection.active = one
    shown(viewer, array_stack(textured()))
    assert viewer.layers.selection.active is one


def test_a_projection_is_a_hidden_layer():
    params = PARAMS.model_copy(update={"projections": True})
    layers, _, _ = shown(ViewerModel(), array_stack(textured()), params=params)
    (projection,) = layers["max_projection"]
    assert not projection.visible
    assert projection.name == "relief max projection"
