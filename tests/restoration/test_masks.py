"""Where a restoration may change pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.restoration.masks import (
    LEAST_SIDE_PX,
    SPECK_PX,
    box_around,
    checked_mask,
    feathered,
    mask_of_confidence,
    without_specks,
)
from napari_gmff.windows import Box


def square(side: int = 40, start: int = 10, stop: int = 30) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[start:stop, start:stop] = True
    return mask


def test_only_confidence_below_the_limit_is_in_the_mask():
    confidence = np.where(square(), 0.1, 0.2).astype(np.float32)
    np.testing.assert_array_equal(mask_of_confidence(confidence, 0.2), square())
    assert not mask_of_confidence(confidence, 0.1).any()


def test_pixels_without_a_confidence_count_as_unsure():
    confidence = np.where(square(), np.nan, 0.9)
    np.testing.assert_array_equal(mask_of_confidence(confidence, 0.2), square())


def test_specks_are_left_out_and_holes_stay():
    mask = square(60, 20, 50)
    mask[30, 30] = False
    speckled = mask.copy()
    speckled[2:9, 2:9] = True  # 49 pixels
    np.testing.assert_array_equal(without_specks(speckled), mask)
    kept = without_specks(speckled, least_px=49)
    np.testing.assert_array_equal(kept, speckled)
    assert 49 < SPECK_PX <= 64


def test_pixels_that_touch_at_corners_are_two_areas():
    mask = np.zeros((20, 20), bool)
    mask[:6, :6] = mask[6:12, 6:12] = True
    assert not without_specks(mask, least_px=37).any()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float32])
def test_masks_of_any_number_type_are_taken(dtype):
    found = checked_mask(square().astype(dtype), (40, 40))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, square())


def test_a_mask_without_time_counts_for_all_time_points():
    found = checked_mask(square(), (3, 40, 40))
    assert found.shape == (3, 40, 40) and (found == square()).all()
    one = checked_mask(square()[None], (40, 40))
    np.testing.assert_array_equal(one, square())


@pytest.mark.parametrize(
    ("mask", "shown"),
    [
        (np.ones((40, 39)), "must be 40 × 40 pixels as the fused image, got 40 × 39"),
        (np.ones((2, 40, 40)), "got 2 × 40 × 40"),
        (True, "got a single value"),
        (np.zeros((40, 40), bool), "is empty, there is nothing to restore"),
        (np.full((40, 40), np.nan), "got NaN or infinity"),
        (np.full((40, 40), 255, np.uint8), "must hold 0 and 1 only, got 255"),
        (np.full((40, 40), 0.5), "must hold 0 and 1 only, got 0.5"),
        (np.full((40, 40), "x"), "must be bool or hold 0 and 1"),
    ],
)
def test_masks_that_do_not_fit_are_refused_with_what_is_wrong(mask, shown: str):
    with pytest.raises(ParameterError, match=shown):
        checked_mask(mask, (40, 40))


def test_the_weight_rises_from_the_edge_inward_and_is_0_outside():
    weight = feathered(square(), 8)
    np.testing.assert_array_equal(weight > 0, square())
    row = weight[20, 9:20]
    assert row[0] == 0 and 0 < row[1] < 0.1 and row[9] == row[10] == 1
    assert (np.diff(row[:10]) > 0).all()


def test_without_a_feather_the_weight_is_the_mask():
    np.testing.assert_array_equal(feathered(square(), 0), square().astype(np.float32))


def test_the_border_of_the_image_is_no_edge():
    assert (feathered(np.ones((20, 20), bool), 8) == 1).all()
    half = np.zeros((20, 40), bool)
    half[:, :20] = True
    weight = feathered(half, 4)
    assert (weight[:, :15] == 1).all() and (weight[:, 19] < 1).all()


def test_the_box_holds_the_mask_with_context_and_is_not_small():
    mask = np.zeros((2000, 1500), bool)
    mask[700:1500, 300:310] = True
    assert box_around(mask) == Box(636, 1564, 49, 561)
    assert box_around(np.zeros((10, 10), bool)) is None


@pytest.mark.parametrize("at", [(0, 0), (1999, 1499), (0, 1499)])
def test_at_a_corner_the_box_stays_inside_and_full(at: tuple[int, int]):
    mask = np.zeros((2000, 1500), bool)
    mask[at] = True
    box = box_around(mask)
    assert box.shape == (LEAST_SIDE_PX, LEAST_SIDE_PX)
    assert box.y0 >= 0 and box.x0 >= 0 and box.y1 <= 2000 and box.x1 <= 1500
    assert box.y0 <= at[0] < box.y1 and box.x0 <= at[1] < box.x1


def test_of_a_small_image_the_box_is_all_of_it():
    mask = np.zeros((100, 90), bool)
    mask[50, 40] = True
    assert box_around(mask) == Box(0, 100, 0, 90)
