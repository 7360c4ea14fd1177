"""The meaning of a layer's dimensions, said or guessed."""

from __future__ import annotations

import pytest

from napari_gmff._napari.layers.layer_axes import axes_of

UNNAMED = ("axis -3", "axis -2", "axis -1")


def letters(shape, labels, **options) -> str:
    return "".join(letter or "-" for letter in axes_of(shape, labels, **options).letters)


@pytest.mark.parametrize(
    ("labels", "shape", "expected"),
    [
        (("z", "y", "x"), (5, 40, 60), "ZYX"),
        (("Z", "Y", "X"), (5, 40, 60), "ZYX"),
        (("y", "x", "z"), (40, 60, 5), "YXZ"),
        (("time", "z", "y", "x"), (2, 5, 40, 60), "TZYX"),
        (("t", "channel", "z", "y", "x"), (2, 3, 5, 40, 60), "TCZYX"),
    ],
)
def test_labels_say_what_axes_are(labels, shape, expected):
    axes = axes_of(shape, labels)
    assert "".join(axes.letters) == expected
    assert axes.is_certain


def test_without_labels_the_innermost_axis_that_is_left_is_guessed_to_be_z():
    axes = axes_of((5, 40, 60), UNNAMED)
    assert axes.letters == ("Z", "Y", "X")
    assert not axes.is_certain
    assert axes_of((2, 5, 40, 60), ("axis -4", *UNNAMED)).letters == ("T", "Z", "Y", "X")
    five = axes_of((2, 3, 5, 40, 60), ("axis -5", "axis -4", *UNNAMED))
    assert five.letters == ("T", "C", "Z", "Y", "X")


def test_what_is_on_the_canvas_is_y_and_x():
    axes = axes_of((40, 60, 5), UNNAMED, displayed=(0, 1))
    assert axes.letters == ("Y", "X", "Z")
    assert not axes.is_certain


def test_the_user_decides_which_axis_is_z():
    axes = axes_of((40, 60, 5), UNNAMED, z_axis=2)
    assert axes.letters == ("Y", "X", "Z")
    assert axes.is_certain


def test_a_choice_that_the_layer_no_longer_has_is_ignored():
    assert axes_of((40, 60), ("axis -2", "axis -1"), z_axis=2).z_axis is None


def test_an_axis_called_t_becomes_z_and_trades_places_with_it():
    assert letters((24, 3, 40, 60), ("t", "z", "y", "x"), z_axis=0) == "ZTYX"
    assert letters((24, 1, 40, 60), ("t", "z", "y", "x"), z_axis=0) == "Z-YX"


def test_labels_that_contradict_themselves_do_not_count():
    axes = axes_of((5, 40, 60), ("z", "z", "x"))
    assert axes.letters == ("Z", "Y", "X")
    assert not axes.is_certain


def test_every_long_axis_that_is_not_called_y_or_x_may_be_z():
    assert axes_of((5, 40, 60), UNNAMED).candidates == (0, 1, 2)
    assert axes_of((2, 5, 40, 60), ("t", "z", "y", "x")).candidates == (0, 1)
    assert axes_of((2, 1, 40, 60), ("t", "z", "y", "x")).candidates == (0,)


def test_axes_of_length_one_mean_nothing_unless_they_are_named():
    assert letters((1, 5, 40, 60), ("axis -4", *UNNAMED)) == "-ZYX"


def test_six_long_axes_are_one_too_many():
    axes = axes_of((2, 2, 2, 5, 40, 60), tuple(f"axis {n}" for n in range(-6, 0)))
    assert axes.leftover == 1


def test_a_flat_image_has_no_z():
    axes = axes_of((40, 60), ("axis -2", "axis -1"))
    assert axes.z_axis is None
    assert axes.letters == ("Y", "X")
