"""Layers of anyone as focus stacks, and the same pixels read right."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image, Labels

from napari_gmff import fuse
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff.errors import SourceError
from tests.gui.made_layers import UM, lazy_layer, read_layers
from tests.stacks import stack_of as array_stack
from tests.stacks import textured

ENGINE = "laplacian-energy"


def test_a_plain_layer_is_understood_without_reading_a_pixel():
    layer = lazy_layer((24, 100, 200), scale=(0.5, 0.2, 0.2), units=UM, name="worm")
    view = understood(layer)
    assert (view.name, view.n_slices, view.shape_yx) == ("worm", 24, (100, 200))
    assert view.voxel_size_um == (0.5, 0.2, 0.2)
    assert view.dtype == np.uint16
    assert view.problems == ()
    assert not view.is_certain
    stack = stack_of(view)
    assert stack.data.shape == (1, 1, 24, 100, 200)
    np.testing.assert_allclose(stack.z_positions_um, np.arange(24) * 0.5)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "multiscale"])
def test_pixels_of_any_kind_of_data_are_those_of_the_layer(kind, tmp_path):
    pixels = textured((4, 70, 90))
    if kind == "numpy":
        layer = Image(pixels)
    elif kind == "dask":
        layer = Image(da.from_array(pixels, chunks=(2, 33, 41)), contrast_limits=(0, 9))
    elif kind == "zarr":
        array = zarr.create_array(
            str(tmp_path / "a.zarr"), shape=pixels.shape, dtype="uint16", chunks=(1, 32, 32)
        )
        array[:] = pixels
        layer = Image(array, contrast_limits=(0, 9))
    else:
        layer = Image([pixels, pixels[:, ::2, ::2]], multiscale=True)
    stack = stack_of(understood(layer))
    np.testing.assert_array_equal(stack.data[0, 0].compute(), pixels)


def test_transposed_data_give_the_same_fusion():
    pixels = textured((4, 70, 90))
    upright = stack_of(understood(Image(pixels)))
    turned = stack_of(understood(Image(np.moveaxis(pixels, 0, -1), rgb=False), z_axis=2))
    with fuse(upright, engine=ENGINE) as first, fuse(turned, engine=ENGINE) as second:
        np.testing.assert_array_equal(first.focus_index.compute(), second.focus_index.compute())
        np.testing.assert_array_equal(first.fused.compute(), second.fused.compute())


def test_rgb_layers_keep_their_colours():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 40, 30, 3), dtype=np.uint8)
    stack = stack_of(understood(Image(pixels, rgb=True)))
    assert stack.axes == "TCZYXS"
    np.testing.assert_array_equal(stack.data[0, 0].compute(), pixels)


def test_labelled_axes_are_taken_at_their_word_and_in_any_order():
    pixels = textured((3, 2, 4, 40, 50))
    layer = Image(pixels, axis_labels=("t", "c", "z", "y", "x"))
    view = understood(layer)
    assert (view.n_times, view.n_channels, view.n_slices) == (3, 2, 4)
    assert view.is_certain
    np.testing.assert_array_equal(stack_of(view).data.compute(), pixels)


def test_the_step_that_the_user_enters_spaces_the_slices():
    stack = stack_of(understood(lazy_layer()), z_step_um=0.7)
    np.testing.assert_allclose(stack.z_positions_um, np.arange(4) * 0.7)
    assert stack.voxel_size_um == (0.7, None, None)


def test_the_step_that_the_user_enters_keeps_the_direction_of_the_slices():
    layer = lazy_layer(scale=(-1, 1, 1), translate=(9, 0, 0), units=UM)
    stack = stack_of(understood(layer), z_step_um=0.5)
    np.testing.assert_allclose(stack.z_positions_um, (9, 8.5, 8, 7.5))


def test_falling_slices_and_origins_are_where_the_layer_has_them():
    layer = lazy_layer(scale=(-2, 0.5, 0.5), translate=(30, 5, -7), units=UM)
    stack = stack_of(understood(layer))
    np.testing.assert_allclose(stack.z_positions_um, (30, 28, 26, 24))
    assert stack.origin_yx_um == (5, -7)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: lazy_layer((64, 64)), "no Z axis"),
        (lambda: lazy_layer((1, 64, 64)), "no Z axis of 2 or more slices"),
        (lambda: lazy_layer((1, 64, 64), axis_labels=("z", "y", "x")), "only 1 slice"),
        (
            lambda: lazy_layer((9, 1, 64, 64), axis_labels=("t", "z", "y", "x")),
            "only 1 slice. Say which axis is Z",
        ),
        (lambda: lazy_layer(dtype="float64"), "float64"),
        (lambda: lazy_layer(dtype="bool"), "bool"),
        (lambda: lazy_layer((2, 2, 2, 4, 64, 64)), "1 more axes"),
        (lambda: Labels(np.zeros((4, 8, 8), np.uint8), name="cells"), "cells is no image layer"),
    ],
)
def test_what_stops_a_fusion_is_said_in_a_sentence(layer, words):
    view = understood(layer())
    assert words in view.problems[0]
    assert view.problems[0].endswith(".")
    with pytest.raises(SourceError, match=words.split(".")[0]):
        stack_of(view)


def test_the_time_axis_of_a_layer_can_be_declared_z():
    pixels = textured((9, 1, 40, 50))
    layer = Image(pixels, axis_labels=("t", "z", "y", "x"))
    view = understood(layer, z_axis=0)
    assert view.problems == ()
    np.testing.assert_array_equal(stack_of(view).data[0, 0].compute(), pixels[:, 0])


def test_the_files_own_stack_is_given_with_the_position_of_every_slice():
    positions = np.array([5.0, 4.0, 2.5])
    stack = replace(array_stack(textured((3, 40, 50))), z_positions_um=positions)
    stack = replace(stack, voxel_size_um=(1.0, 0.5, 0.5), origin_yx_um=(3.0, 4.0))
    viewer = read_layers(stack)
    found = stack_of(understood(viewer.layers[0]))
    np.testing.assert_array_equal(found.z_positions_um, positions)
    assert found.data.name == stack.data.name
    assert found.fingerprint == stack.fingerprint


def test_a_size_that_the_user_corrects_on_the_layer_wins_over_the_files():
    viewer = read_layers(array_stack(textured((3, 40, 50)), voxel_size_um=(1, 0.5, 0.5)))
    viewer.layers[0].scale = (0.8, 0.5, 0.5)
    view = understood(viewer.layers[0])
    assert view.voxel_size_um == (0.8, 0.5, 0.5)
    np.testing.assert_allclose(stack_of(view).z_positions_um, (0, 0.8, 1.6))


def test_units_that_the_user_adds_to_a_layer_make_the_step_known():
    viewer = read_layers(array_stack(textured((3, 40, 50))))
    (layer,) = viewer.layers
    assert understood(layer).unknown_step
    layer.scale, layer.units = (2, 0.5, 0.5), UM
    assert understood(layer).voxel_size_um == (2, 0.5, 0.5)
    np.testing.assert_allclose(stack_of(understood(layer)).z_positions_um, (0, 2, 4))


def test_a_layer_that_was_given_other_pixels_is_no_longer_the_file():
    viewer = read_layers(array_stack(textured((3, 40, 50)), voxel_size_um=(1, 0.5, 0.5)))
    (layer,) = viewer.layers
    layer.data = np.zeros((3, 40, 50), np.uint16)
    view = understood(layer, viewer.layers)
    assert view.source is None
    assert stack_of(view).data.compute().max() == 0
    assert view.voxel_size_um == (1, 0.5, 0.5)


def test_another_choice_of_z_is_honoured_for_a_layer_of_a_file_too():
    viewer = read_layers(array_stack(textured((2, 3, 4, 40, 50)), "CTZYX"))
    view = understood(viewer.layers[0], viewer.layers, z_axis=0)
    assert view.source is None
    assert (view.n_slices, view.n_times, view.n_channels) == (3, 4, 2)
    pixels = textured((2, 3, 4, 40, 50))
    np.testing.assert_array_equal(
        stack_of(view).data.compute(), np.moveaxis(pixels, (0, 1, 2), (1, 2, 0))
    )


def test_unsigned_integers_in_the_other_byte_order_are_read_right():
    pixels = textured((3, 40, 50))
    stack = stack_of(understood(Image(pixels.astype(">u2"))))
    assert stack.dtype == np.dtype("uint16")
    np.testing.assert_array_equal(stack.data[0, 0].compute(), pixels)
