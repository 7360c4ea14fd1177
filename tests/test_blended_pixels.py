from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.blended_pixels import as_pixels


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", [0, 0, 2, 3, 255]), ("int16", [-6, 0, 2, 3, 300]), ("uint16", [0, 0, 2, 3, 300])],
)
def test_values_are_rounded_and_clipped_to_what_the_type_holds(dtype, expected):
    values = np.array([-5.6, 0.4, 1.6, 3.4, 299.9], np.float32)
    found = as_pixels(values, np.dtype(dtype))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_the_highest_grey_level_is_never_passed():
    values = np.array([65535.4, 70000, 1e9], np.float32)
    np.testing.assert_array_equal(as_pixels(values, np.dtype("uint16")), [65535] * 3)


def test_floats_stay_as_they_are():
    values = np.array([-1e30, 0.25, np.nan], np.float32)
    np.testing.assert_array_equal(as_pixels(values, np.dtype("float32")), values)
