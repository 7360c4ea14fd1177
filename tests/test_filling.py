"""An area of the focus index is filled from what lies around it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.filling import filled_from_neighbours

Z = np.arange(12.0)


def slope(shape: tuple[int, int] = (40, 60), steps: int = 12) -> np.ndarray:
    """Return an index that rises along x."""
    columns = np.arange(shape[1]) * steps // shape[1]
    return np.broadcast_to(columns, shape).astype(np.uint8).copy()


def disc(shape: tuple[int, int], y: int, x: int, radius: int) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def test_a_slope_goes_on_through_a_hole() -> None:
    truth = slope()
    marked = disc(truth.shape, 20, 30, 12)
    damaged = np.where(marked, 99, truth).astype(np.uint8)
    filled = filled_from_neighbours(damaged, marked, range(12), Z)
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~marked], truth[~marked])
    off = np.abs(filled[marked].astype(int) - truth[marked])
    assert off.max() <= 1
    assert (off == 0).mean() > 0.9


def test_what_is_filled_lies_between_what_is_around() -> None:
    rng = np.random.default_rng(1)
    index = rng.integers(3, 7, (50, 50), dtype=np.uint8)
    marked = disc((50, 50), 25, 25, 15)
    index[marked] = 11
    filled = filled_from_neighbours(index, marked, range(12), Z)
    assert set(np.unique(filled[marked])) <= {3, 4, 5, 6}


def test_single_wrong_pixels_at_the_rim_do_not_spread() -> None:
    index = np.full((40, 40), 4, np.uint8)
    marked = disc((40, 40), 20, 20, 10)
    index[8, 20] = index[20, 32] = 11
    index[9, 20] = 0
    filled = filled_from_neighbours(index, marked, range(12), Z)
    assert (filled[marked] == 4).all()


def test_areas_are_filled_each_from_its_own_surroundings() -> None:
    index = np.zeros((30, 80), np.uint8)
    index[:, 40:] = 9
    marked = disc(index.shape, 15, 12, 6) | disc(index.shape, 15, 65, 6)
    filled = filled_from_neighbours(np.where(marked, 5, index), marked, range(12), Z)
    np.testing.assert_array_equal(filled, index)


@pytest.mark.parametrize("edge", ["left", "corner", "all but a column"])
def test_an_area_at_the_edge_takes_the_nearest(edge: str) -> None:
    truth = slope((30, 60))
    marked = np.zeros(truth.shape, bool)
    if edge == "left":
        marked[:, :20] = True
        expected = {truth[0, 20]}
    elif edge == "corner":
        marked[:5, :5] = True
        expected = {0, 1}
    else:
        marked[:, :59] = True
        expected = {11}
    filled = filled_from_neighbours(truth, marked, range(12), Z)
    assert set(np.unique(filled[marked])) <= expected


def test_with_uneven_spacing_positions_count_not_numbers() -> None:
    index = np.zeros((21, 41), np.uint8)
    index[:, 31:] = 3
    marked = np.zeros(index.shape, bool)
    marked[:, 10:31] = True
    z = np.array([0.0, 8.0, 9.0, 10.0])
    row = filled_from_neighbours(index, marked, range(4), z)[10]
    rising = z[row[10:31]]
    # Halfway up the slope lies at 5 µm, nearer to 8 than to 0.
    assert row[15] == 0
    assert row[21] == 1
    assert (np.diff(rising) >= 0).all()
    falling = filled_from_neighbours(index, marked, range(4), -z)[10]
    np.testing.assert_array_equal(falling, row)


def test_without_positions_the_nearest_pixel_decides() -> None:
    index = np.zeros((31, 31), np.uint8)
    index[:, 16:] = 7
    marked = disc(index.shape, 15, 15, 8)
    filled = filled_from_neighbours(index, marked, range(12))
    assert set(np.unique(filled[marked])) == {0, 7}
    np.testing.assert_array_equal(filled, index)


def test_only_fused_slices_are_chosen() -> None:
    index = np.full((30, 30), 4, np.uint8)
    index[:, 15:] = 8
    marked = disc(index.shape, 15, 15, 7)
    filled = filled_from_neighbours(index, marked, [4, 8], np.array([2.0, 4.0]))
    assert set(np.unique(filled)) == {4, 8}


def test_a_wholly_marked_image_cannot_be_filled() -> None:
    with pytest.raises(ParameterError, match="left unmarked"):
        filled_from_neighbours(slope(), np.ones((40, 60), bool), range(12), Z)
