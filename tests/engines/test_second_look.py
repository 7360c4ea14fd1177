from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.engines.second_look import box_behind, halved_plane, joined, raised
from napari_gmff.windows import Box


def random_plane(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).random(shape).astype(np.float32)


def test_a_halved_plane_has_the_means_of_cells_of_four():
    plane = random_plane(6, 8)
    np.testing.assert_allclose(halved_plane(plane)[1, 2], plane[2:4, 4:6].mean(), rtol=1e-6)
    assert halved_plane(plane).shape == (3, 4)
    assert halved_plane(plane).dtype == np.float32


@pytest.mark.parametrize(
    "tile",
    [
        Box(0, 64, 0, 96),
        Box(0, 32, 0, 32),
        Box(28, 36, 60, 96),
        Box(4, 8, 88, 92),
        Box(60, 64, 92, 96),
    ],
)
def test_every_tile_is_raised_as_the_whole_window(tile):
    half = random_plane(32, 48)
    whole = ndimage.zoom(half, 2, order=1, mode="nearest", grid_mode=True)
    box = box_behind(tile, half.shape)
    assert all(side % 4 == 0 for side in box)
    found = raised(half[box.slices], box, tile)
    np.testing.assert_allclose(found, whole[tile.slices], atol=1e-6)
    assert found.dtype == np.float32


def test_a_tile_is_raised_alike_whatever_else_was_scored():
    half, tile = random_plane(32, 48), Box(16, 32, 32, 64)
    box = box_behind(tile, half.shape)
    whole = Box(0, 32, 0, 48)
    np.testing.assert_array_equal(raised(half[box.slices], box, tile), raised(half, whole, tile))


def test_what_lies_behind_a_tile_is_no_more_than_it_needs():
    assert box_behind(Box(0, 512, 512, 1024), (512, 512)) == Box(0, 260, 252, 512)
    assert box_behind(Box(0, 128, 0, 128), (128, 128)) == Box(0, 68, 0, 68)


def test_joined_scores_are_the_weighted_mean():
    first, second = random_plane(4, 4), random_plane(4, 4) + 1
    np.testing.assert_allclose(
        joined(first, second, 0.25), (first + 0.25 * second) / 1.25, rtol=1e-6
    )
    np.testing.assert_array_equal(joined(first, second, 0.0), first)
