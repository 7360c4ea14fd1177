"""Grey levels to what the model sees, and back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.restoration.value_range import ValueRange, value_range


def test_grey_is_given_three_times_and_colour_as_it_is():
    grey = np.array([[[0, 50, 100]]], np.uint8)
    seen = ValueRange(0, 100).seen(grey)
    assert seen.shape == (3, 1, 3) and seen.dtype == np.float32
    np.testing.assert_allclose(seen, np.broadcast_to([0, 0.5, 1], (3, 1, 3)))
    colours = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    np.testing.assert_allclose(ValueRange(0, 11).seen(colours) * 11, colours, rtol=1e-6)


def test_what_lies_beyond_the_range_is_clipped_for_the_model():
    seen = ValueRange(10, 20).seen(np.array([[[0, 10, 20, 255]]], np.uint8))
    np.testing.assert_array_equal(seen[0], [[0, 0, 1, 1]])


def test_gaps_are_filled_for_the_model():
    seen = ValueRange(0, 10).seen(np.array([[[1, np.nan, np.inf, 9]]], np.float32))
    np.testing.assert_allclose(seen[0], [[0.1, 0.1, 0.9, 0.9]])


def test_the_change_of_grey_is_the_mean_of_three_and_of_colours_their_own():
    values, given = ValueRange(100, 300), np.zeros((3, 1, 1), np.float32)
    restored = np.array([0.1, 0.2, 0.6], np.float32).reshape(3, 1, 1)
    np.testing.assert_allclose(values.change(given, restored, 1), [[[60]]], rtol=1e-6)
    np.testing.assert_allclose(values.change(given, restored, 3).ravel(), [20, 40, 120], rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", (0, 255)), ("uint16", (0, 65535)), ("int16", (0, 32767)), ("float32", (0, 1))],
)
def test_the_range_of_a_type_is_all_of_it(dtype: str, expected: tuple[float, float]):
    found = value_range("dtype", np.dtype(dtype), np.zeros(3, dtype))
    assert (found.low, found.high) == expected


def test_the_automatic_range_is_robust_and_never_empty():
    samples = np.r_[np.linspace(100, 200, 10_000), 65_535].astype(np.uint16)
    found = value_range("auto", samples.dtype, samples)
    assert 99 <= found.low < 102 and 198 < found.high <= 201
    constant = value_range("auto", samples.dtype, np.full(9, 7, np.uint16))
    assert (constant.low, constant.high) == (7, 8)


def test_a_given_range_is_taken():
    assert value_range((3.0, 9.5), np.dtype("uint8"), np.zeros(1)) == ValueRange(3.0, 9.5)
