"""A surface and a line lie over the pixels they come from, however the source lies in the world."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_gmff._napari.heights.surface_place import line_place, row_and_column_axes, surface_place
from napari_gmff.errors import ParameterError

UM = ("um", "um")
QUARTER_TURN = [[0, -1], [1, 0]]


def flat(**options) -> Image:
    """Return a result layer of 30 × 40 pixels with the axes Y and X."""
    options = {"units": UM, "axis_labels": ("y", "x"), **options}
    return Image(np.zeros((30, 40), np.float32), **options)


def at(layer: Image, pixel_size, vertex, exaggeration: float = 1.0, lowest: float = 0.0):
    """Return the world position of a vertex (z, y, x)."""
    affine = surface_place(layer, pixel_size).affine(exaggeration, lowest)
    return affine[:3, :3] @ np.asarray(vertex, float) + affine[:3, 3]


PLACES = {
    "plain": {"scale": (0.5, 0.25)},
    "with an origin": {"scale": (0.5, 0.25), "translate": (100.0, -7.0)},
    "falling y": {"scale": (-0.5, 0.25), "translate": (20.0, 3.0)},
    "turned": {"scale": (0.5, 0.25), "rotate": QUARTER_TURN, "translate": (5.0, 6.0)},
    "affine": {"scale": (0.5, 0.25), "affine": [[0, 1, 4], [1, 0, 9], [0, 0, 1]]},
}


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_every_pixel_keeps_its_place_and_has_its_depth_as_z(options):
    layer = flat(**options)
    for row, column in ((0, 0), (29, 0), (3, 39)):
        world = at(layer, (0.5, 0.25), (12.5, row * 0.5, column * 0.25))
        np.testing.assert_allclose(world, [12.5, *layer.data_to_world((row, column))])


def test_exaggeration_leaves_the_lowest_height_and_the_image_plane_alone():
    layer = flat(scale=(0.5, 0.25), translate=(100, 200))
    np.testing.assert_allclose(at(layer, (0.5, 0.25), (4, 1, 1), 10, lowest=4), [4, 101, 201])
    np.testing.assert_allclose(at(layer, (0.5, 0.25), (6, 1, 1), 10, lowest=4), [24, 101, 201])


@pytest.mark.parametrize(
    ("unit", "um"), [("um", 1.0), ("nm", 1e-3), ("mm", 1e3)], ids=["um", "nm", "mm"]
)
def test_heights_and_lengths_are_in_proportion_in_every_unit(unit, um):
    layer = flat(scale=(0.5 / um, 0.5 / um), units=(unit, unit))
    place = surface_place(layer, (0.5, 0.5))
    lengths = np.linalg.norm(place.axes, axis=0)
    np.testing.assert_allclose(lengths, 1 / um)


def test_a_pixel_size_that_the_user_told_gives_true_proportions():
    layer = flat(units=("pixel", "pixel"))
    place = surface_place(layer, (0.25, 0.25))
    np.testing.assert_allclose(np.linalg.norm(place.axes, axis=0), 4)
    assert place.unit == "pixel"
    unknown = surface_place(layer, (None, None))
    np.testing.assert_allclose(np.linalg.norm(unknown.axes, axis=0), 1)


def test_the_place_of_a_time_series_along_z_does_not_count_twice():
    layer = Image(
        np.zeros((2, 1, 30, 40), np.float32),
        scale=(1, 8, 0.5, 0.25),
        translate=(0, 50, 100, 200),
        units=("pixel", "um", "um", "um"),
        axis_labels=("t", "z", "y", "x"),
    )
    np.testing.assert_allclose(at(layer, (0.5, 0.25), (52.5, 0.5, 0.25)), [52.5, 100.5, 200.25])


def test_where_z_comes_last_heights_rise_along_the_last_dimension():
    layer = Image(
        np.zeros((30, 40, 1), np.float32),
        scale=(0.5, 0.25, 12),
        units=("um",) * 3,
        axis_labels=("y", "x", "z"),
    )
    assert row_and_column_axes(layer) == (0, 1)
    np.testing.assert_allclose(at(layer, (0.5, 0.25), (7, 1, 2)), [1, 2, 7])


def test_time_between_z_and_the_image_is_refused_with_the_way_out():
    layer = Image(np.zeros((1, 3, 30, 40), np.float32), axis_labels=("z", "t", "y", "x"))
    with pytest.raises(ParameterError, match="put time before"):
        surface_place(layer, (1, 1))


@pytest.mark.parametrize("options", PLACES.values(), ids=PLACES)
def test_points_of_a_line_are_rows_and_columns(options):
    layer = flat(**options)
    kwargs, axes = line_place(layer)
    lines = Shapes([np.array([[3.0, 4.0], [20.0, 30.0]])], shape_type="line", **kwargs)
    assert axes == (0, 1)
    for point in lines.data[0]:
        np.testing.assert_allclose(lines.data_to_world(point), layer.data_to_world(point))
    assert [str(unit) for unit in lines.units] == ["micrometer", "micrometer"]


def test_a_line_has_all_dimensions_only_where_the_image_is_not_in_the_last_two():
    series = Image(np.zeros((2, 1, 30, 40)), axis_labels=("t", "z", "y", "x"))
    kwargs, axes = line_place(series)
    assert (kwargs["ndim"], axes) == (2, (0, 1))
    last = Image(np.zeros((30, 40, 1)), axis_labels=("y", "x", "z"))
    kwargs, axes = line_place(last)
    assert (kwargs["ndim"], axes) == (3, (0, 1))


def test_layers_without_names_of_axes_have_the_image_last():
    assert row_and_column_axes(Image(np.zeros((3, 30, 40)))) == (1, 2)
