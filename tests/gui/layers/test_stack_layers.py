"""Stacks as lazy layers: axes, places, colours, and files that close with them."""

from __future__ import annotations

import copy
import gc
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from napari_gmff import FocusStack, read_stack
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff._napari.layers.stack_layers import (
    SOURCE_KEY,
    StackSource,
    channel_colormaps,
    layers_of_stack,
    short_name,
)
from napari_gmff.errors import SourceError
from napari_gmff.reading.stack import Channel
from tests.stacks import stack_of as array_stack
from tests.stacks import textured

VOXEL_UM = (0.5, 0.25, 0.2)


def shown(stack: FocusStack, name: str | None = None) -> ViewerModel:
    """Return a viewer with the layers of a stack."""
    viewer = ViewerModel()
    for data, kwargs, kind in layers_of_stack(StackSource(stack), name):
        assert kind == "image"
        viewer.add_image(data, **kwargs)
    return viewer


def of_array(array: np.ndarray, axes: str = "ZYX", **options) -> FocusStack:
    return array_stack(array, axes, **{"voxel_size_um": VOXEL_UM, **options})


def test_a_stack_of_one_channel_is_one_layer_in_micrometres():
    (layer,) = shown(of_array(textured((5, 40, 60)))).layers
    assert layer.data.shape == (5, 40, 60)
    assert layer.name == "array"
    assert layer.axis_labels == ("z", "y", "x")
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    np.testing.assert_allclose(layer.scale, VOXEL_UM)


def test_each_channel_is_a_layer_with_its_name_and_colour_from_the_file(tmp_path):
    planes = np.zeros((2, 3, 32, 40), np.uint16)
    planes[1] = 100
    metadata = {
        "axes": "CZYX",
        "Channel": {"Name": ["DAPI", "actin"], "Color": [0x0000FFFF, 0x12345678]},
    }
    tifffile.imwrite(tmp_path / "cells.ome.tif", planes, metadata=metadata)
    viewer = shown(read_stack(tmp_path / "cells.ome.tif"))
    assert [layer.name for layer in viewer.layers] == ["cells DAPI", "cells actin"]
    assert viewer.layers[0].colormap.name == "blue"
    np.testing.assert_allclose(
        viewer.layers[1].colormap.map(1.0).ravel()[:3],
        np.array([0x12, 0x34, 0x56]) / 255,
        atol=1e-3,
    )
    assert [layer.blending for layer in viewer.layers] == ["additive"] * 2
    np.testing.assert_array_equal(np.asarray(viewer.layers[1].data[2]), planes[1, 2])


def test_channels_of_one_file_share_their_source():
    viewer = shown(of_array(textured((2, 3, 32, 40)), "CZYX"))
    first, second = (layer.metadata[SOURCE_KEY] for layer in viewer.layers)
    assert first is second


def test_channels_without_colours_or_all_white_are_told_apart():
    assert channel_colormaps([Channel("a"), Channel("b")]) == ["magenta", "green"]
    white = [Channel("a", "FFFFFF"), Channel("b", "ffffff".upper()), Channel("c", "FFFFFF")]
    assert len(set(channel_colormaps(white))) == 3
    assert channel_colormaps([Channel("alone")]) == ["gray"]
    assert channel_colormaps([Channel("a", "00FF00"), Channel("b")])[0] == "green"


def test_colour_samples_make_one_rgb_layer_that_keeps_its_slices():
    pixels = np.random.default_rng(0).integers(0, 255, (4, 30, 20, 3), dtype=np.uint8)
    (layer,) = shown(of_array(pixels, "ZYXS")).layers
    assert layer.rgb
    assert layer.ndim == 3
    assert layer.data.shape == (4, 30, 20, 3)
    np.testing.assert_array_equal(np.asarray(layer.data[1]), pixels[1])


def test_time_points_become_the_first_axis_and_a_single_one_goes():
    (layer,) = shown(of_array(textured((2, 3, 32, 40)), "TZYX")).layers
    assert layer.axis_labels == ("t", "z", "y", "x")
    assert layer.data.shape == (2, 3, 32, 40)
    assert [str(unit) for unit in layer.units] == ["pixel", *["micrometer"] * 3]


def test_an_image_of_one_slice_has_no_slider():
    (layer,) = shown(of_array(textured((1, 32, 40)))).layers
    assert layer.ndim == 2


def test_falling_slices_keep_their_true_positions():
    stack = replace(of_array(textured((4, 32, 40))), z_positions_um=np.array([9.0, 8.5, 8.0, 7.5]))
    (layer,) = shown(stack).layers
    assert layer.scale[0] == -0.5
    z = [layer.data_to_world((k, 0, 0))[0] for k in range(4)]
    np.testing.assert_allclose(z, stack.z_positions_um)


def test_uneven_slices_are_shown_at_their_mean_distance_and_that_is_said():
    stack = replace(of_array(textured((4, 32, 40))), z_positions_um=np.array([1.0, 1.5, 3.0, 4.0]))
    source = StackSource(stack)
    ((_, kwargs, _),) = layers_of_stack(source)
    assert kwargs["scale"][0] == pytest.approx(1.0)
    assert kwargs["translate"][0] == 1.0
    assert "1 µm apart (the mean)" in source.notes[-1]


def test_slices_that_go_up_and_down_again_are_all_shown():
    stack = replace(of_array(textured((3, 32, 40))), z_positions_um=np.array([0.0, 2.0, 0.0]))
    (layer,) = shown(stack).layers
    assert layer.scale[0] == 2.0


def test_an_unknown_step_is_counted_in_slices_and_never_called_a_micrometre():
    (layer,) = shown(of_array(textured((4, 32, 40)), voxel_size_um=(None, 0.25, 0.2))).layers
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    np.testing.assert_allclose(layer.scale, (1, 0.25, 0.2))


def test_a_pixel_size_known_in_one_direction_only_is_not_used():
    (layer,) = shown(of_array(textured((4, 32, 40)), voxel_size_um=(0.5, None, 0.2))).layers
    assert [str(unit) for unit in layer.units] == ["micrometer", "pixel", "pixel"]
    np.testing.assert_allclose(layer.scale, (0.5, 1, 1))


def test_the_origin_of_the_file_is_the_place_of_the_layer():
    stack = replace(of_array(textured((4, 32, 40))), origin_yx_um=(100.0, -7.0))
    (layer,) = shown(stack).layers
    np.testing.assert_allclose(layer.translate, (0.0, 100.0, -7.0))


def test_levels_of_the_file_are_levels_of_the_layer():
    stack = of_array(textured((3, 64, 80)))
    stack = replace(stack, levels=(stack.data, stack.data[..., ::2, ::2]))
    (layer,) = shown(stack).layers
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(3, 64, 80), (3, 32, 40)]


def test_no_plane_is_read_to_make_layers():
    import dask.array as da

    read = []

    def chunk(block_id):
        read.append(block_id)
        return np.full((1, 1, 1, 64, 64), 500, np.uint16)

    lazy = da.map_blocks(
        lambda block_info=None: chunk(block_info[None]["chunk-location"]),
        chunks=((1,), (1,), (1,) * 40, (64,) * 16, (64,) * 16),
        dtype=np.uint16,
        meta=np.empty((0,) * 5, np.uint16),
    )
    layers_of_stack(StackSource(FocusStack(lazy, "big")))
    planes = {place[2] for place in read}
    assert len(planes) <= 3
    assert len(read) <= 3 * 9 * 4, "more than the tiles were read"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("a.ome.tif", "a"),
        ("A.OME.TIFF", "A"),
        ("a.b.tif", "a.b"),
        ("x.companion.ome", "x"),
        ("y.ome.zarr", "y"),
        ("folder", "folder"),
        (".tif", ".tif"),
    ],
)
def test_names_lose_the_endings_of_images(name, short):
    assert short_name(name) == short


class Closable:
    """Counts how often it was closed."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_files_are_closed_when_the_last_layer_is_gone():
    closed = Closable()
    viewer = shown(replace(of_array(textured((2, 3, 32, 40)), "CZYX"), _close=closed))
    viewer.layers.pop()
    gc.collect()
    assert closed.count == 0
    viewer.layers.clear()
    del viewer
    gc.collect()
    assert closed.count == 1


def test_a_lent_stack_keeps_the_files_open_until_it_is_closed():
    closed = Closable()
    viewer = shown(replace(of_array(textured((3, 32, 40))), _close=closed))
    lent = stack_of(understood(viewer.layers[0]))
    viewer.layers.clear()
    del viewer
    gc.collect()
    assert closed.count == 0
    lent.close()
    gc.collect()
    assert closed.count == 1


def test_closing_a_lent_stack_leaves_the_layers_their_files():
    closed = Closable()
    viewer = shown(replace(of_array(textured((3, 32, 40))), _close=closed))
    stack_of(understood(viewer.layers[0])).close()
    gc.collect()
    assert closed.count == 0
    assert viewer.layers[0].metadata[SOURCE_KEY].stack.n_slices == 3


def test_copies_of_a_layer_have_the_same_source():
    source = StackSource(of_array(textured((3, 32, 40))))
    assert copy.deepcopy({"key": source})["key"] is source
    assert copy.copy(source) is source


def test_a_real_file_is_closed_with_its_layers(tmp_path):
    tifffile.imwrite(
        tmp_path / "z.ome.tif",
        textured((3, 64, 64)),
        metadata={"axes": "ZYX"},
        tile=(32, 32),
        compression="zlib",
    )
    stack = read_stack(tmp_path / "z.ome.tif")
    data = stack.data
    viewer = shown(stack)
    viewer.layers.clear()
    del stack, viewer
    gc.collect()
    with pytest.raises(SourceError, match="has been closed"):
        data[0, 0, 0, :4, :4].compute()
