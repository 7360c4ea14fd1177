"""What a model changed gets into the fused image inside the mask and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.restoration.composition import as_pixels, blended

WEIGHT = np.array([[0, 0.25, 0.5, 1]], np.float32)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
def test_the_weight_says_how_much_of_the_change_counts(dtype: str):
    fused = np.full((1, 1, 4), 40, dtype)
    found = as_pixels(blended(fused, np.full((1, 1, 4), 8.0), WEIGHT), fused, WEIGHT)
    assert found.dtype == fused.dtype
    np.testing.assert_array_equal(found, [[[40, 42, 44, 48]]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_changes_saturate_and_never_wrap_around(dtype: str):
    fused = np.full((1, 1, 4), 100, dtype)
    limits = np.finfo(dtype) if dtype == "float32" else np.iinfo(dtype)
    for change, limit in ((1e40, limits.max), (-1e40, limits.min)):
        values = blended(fused, np.full((1, 1, 4), change), WEIGHT)
        found = as_pixels(values, fused, WEIGHT)
        assert found[0, 0, 0] == 100
        assert (found[0, 0, 1:] == limit).all()


def test_whole_numbers_are_rounded_to_not_cut():
    fused = np.full((1, 1, 4), 10, np.uint8)
    values = blended(fused, np.full((1, 1, 4), 0.9), WEIGHT)
    np.testing.assert_array_equal(as_pixels(values, fused, WEIGHT), [[[10, 10, 10, 11]]])


def test_outside_the_mask_even_strange_floats_are_copied_bit_for_bit():
    strange = np.array([0x7FC00001, 0x80000000, 0x7F800000, 1], np.uint32).view(np.float32)
    fused, weight = strange.reshape(1, 1, 4), np.zeros((1, 4), np.float32)
    found = as_pixels(blended(fused, np.full((1, 1, 4), 5.0), weight), fused, weight)
    np.testing.assert_array_equal(found.view(np.uint32), fused.view(np.uint32))


def test_every_value_of_a_type_survives_no_change():
    fused = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256)
    weight = np.ones((256, 256), np.float32)
    found = as_pixels(blended(fused, np.zeros(fused.shape), weight), fused, weight)
    np.testing.assert_array_equal(found, fused)
