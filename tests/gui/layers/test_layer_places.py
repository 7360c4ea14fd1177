"""Results lie exactly over their source, however that lies in the world."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_gmff._napari.layers.layer_places import result_transform, shown_array
from napari_gmff._napari.layers.layer_stacks import understood

UM = ("um", "um", "um")


def turned(ndim: int, axes: tuple[int, int], cosine: float = 0.6) -> np.ndarray:
    """Return a rotation in the plane of two axes."""
    matrix = np.eye(ndim)
    sine = np.sqrt(1 - cosine**2)
    first, second = axes
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def affine(linear: np.ndarray, shift: tuple[float, ...]) -> np.ndarray:
    matrix = np.eye(len(linear) + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = linear, shift
    return matrix


SOURCES = {
    "plain": ((5, 40, 60), {}, None),
    "in micrometres": ((5, 40, 60), {"scale": (2, 0.5, 0.25), "units": UM}, None),
    "with an origin": ((5, 40, 60), {"scale": (2, 0.5, 0.25), "translate": (7, -3, 11)}, None),
    "falling z and y": ((5, 40, 60), {"scale": (-2, -0.5, 0.25), "translate": (9, 20, 0)}, None),
    "turned": ((5, 40, 60), {"scale": (2, 1, 3), "rotate": turned(3, (1, 2))}, None),
    "sheared": ((5, 40, 60), {"shear": [0, 0, 0.4], "translate": (0, 5, 6)}, None),
    "affine": (
        (5, 40, 60),
        {"scale": (2, 0.5, 0.5), "affine": affine(turned(3, (1, 2)) * 1.5, (1, 2, 3))},
        None,
    ),
    # Hidden, because napari warns when it draws what is tilted against the slices.
    "tilted": (
        (5, 40, 60),
        {"scale": (2, 1, 1), "rotate": turned(3, (0, 1)), "visible": False},
        None,
    ),
    "tilted by an affine": (
        (5, 40, 60),
        {"affine": affine(turned(3, (0, 2)), (1, 2, 3)), "visible": False},
        None,
    ),
    "z last": ((40, 60, 5), {"scale": (0.5, 0.25, 2), "units": UM}, 2),
    "z in the middle": ((40, 5, 60), {"scale": (0.5, 2, 0.25), "translate": (1, 2, 3)}, 1),
    "time": ((3, 5, 40, 60), {"scale": (1, 2, 0.5, 0.25), "translate": (0, 4, 1, 1)}, 1),
    "time and channels": ((3, 2, 5, 40, 60), {"scale": (1, 1, 2, 0.5, 0.25)}, 2),
}


def placed(key: str, **options) -> tuple[Image, Image, dict[str, int]]:
    """Return a source, its result, and the dimension of each axis of the source."""
    shape, source_options, z_axis = SOURCES[key]
    source = Image(np.zeros(shape, np.uint8), **source_options)
    view = understood(source, z_axis=z_axis)
    own = (view.n_times, *view.shape_yx) if view.n_times > 1 else view.shape_yx
    data = shown_array(view, np.zeros(own, np.uint8))
    axes = {letter: axis for axis, letter in enumerate(view.axes.letters)}
    result = Image(data, visible=source.visible, **result_transform(view, **options))
    return source, result, axes


def corners(layer: Image) -> np.ndarray:
    """Return the data coordinates of all corners of a layer's pixels, outer edges included."""
    bounds = [(-0.5, length - 0.5) for length in layer.data.shape]
    return np.stack(np.meshgrid(*bounds, indexing="ij"), axis=-1).reshape(-1, layer.ndim)


@pytest.mark.parametrize("key", SOURCES)
def test_the_corners_of_a_result_are_those_of_its_source_in_the_world(key):
    source, result, _ = placed(key)
    offset = source.ndim - result.ndim
    in_source = {
        tuple(np.round(source.data_to_world(corner)[offset:], 6)) for corner in corners(source)
    }
    for corner in corners(result):
        assert tuple(np.round(result.data_to_world(corner), 6)) in in_source


@pytest.mark.parametrize("key", SOURCES)
def test_a_pixel_of_a_result_is_seen_at_the_same_place_at_every_slice(key):
    source, result, axes = placed(key)
    for k in (0, 2, 4):
        place = np.zeros(source.ndim)
        place[axes["Z"]], place[axes["Y"]], place[axes["X"]] = k, 11, 23
        if "T" in axes:
            place[axes["T"]] = 2
        found = result.world_to_data(source.data_to_world(place))
        whole = dict(zip(result.axis_labels, np.floor(np.round(found, 6) + 0.5), strict=True))
        assert (whole["y"], whole["x"]) == (11, 23)
        assert whole.get("z", 0) == 0
        assert whole.get("t", 2) == 2


@pytest.mark.parametrize("key", ["in micrometres", "time", "z last"])
def test_source_and_result_agree_in_units_and_the_slider_keeps_its_step(key):
    source, result, axes = placed(key)
    for label, unit in zip(result.axis_labels, result.units, strict=True):
        assert unit == source.units[axes[label.upper()]]
    viewer = ViewerModel()
    viewer.add_layer(source)
    before = viewer.dims.range
    viewer.add_layer(result)
    assert viewer.dims.range == before


def test_the_result_of_a_plain_stack_is_a_plain_image():
    _, result, _ = placed("with an origin")
    assert result.ndim == 2
    np.testing.assert_allclose(result.scale, (0.5, 0.25))
    np.testing.assert_allclose(result.translate, (-3, 11))


def test_nothing_is_said_of_what_the_source_does_not_have():
    view = understood(Image(np.zeros((5, 40, 60), np.uint8)))
    assert set(result_transform(view)) == {"scale", "translate", "units", "axis_labels"}


def test_a_region_lies_where_it_was_cut_out():
    source = Image(np.zeros((3, 5, 40, 60), np.uint8), scale=(1, 2, 0.5, -0.25))
    view = understood(source, z_axis=1)
    result = Image(np.zeros((2, 1, 10, 20)), **result_transform(view, first=(1, 7, 9)))
    np.testing.assert_allclose(
        np.delete(result.data_to_world((0, 0, 0, 0)), 1),
        np.delete(source.data_to_world((1, 0, 7, 9)), 1),
    )


def test_one_time_point_of_several_can_be_shown_as_a_plain_image():
    source = Image(np.zeros((3, 5, 40, 60), np.uint8), scale=(1, 2, 0.5, 0.25))
    view = understood(source, z_axis=1)
    assert result_transform(view, has_time=False)["axis_labels"] == ("y", "x")


@pytest.mark.parametrize(("key", "shape"), [("z last", (40, 60, 1)), ("time", (3, 1, 40, 60))])
def test_the_array_that_is_shown_is_the_array_that_is_written(key, shape):
    source_shape, options, z_axis = SOURCES[key]
    view = understood(Image(np.zeros(source_shape, np.uint8), **options), z_axis=z_axis)
    own = np.zeros((3, 40, 60) if key == "time" else (40, 60), np.uint8)
    shown = shown_array(view, own)
    own[..., 3, 4] = 9
    assert shown.shape == shape
    assert shown.max() == 9


def test_colour_samples_stay_the_last_axis():
    source = Image(np.zeros((40, 60, 5, 3), np.uint8), rgb=True)
    view = understood(source, z_axis=2)
    assert shown_array(view, np.zeros((40, 60, 3), np.uint8)).shape == (40, 60, 1, 3)
