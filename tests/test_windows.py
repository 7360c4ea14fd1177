from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmff.windows import Box, spans, tiles, window_grid

sizes = st.integers(1, 5000)


@st.composite
def grids(draw: st.DrawFn) -> tuple[int, int, int]:
    """Draw an axis: size, block and halo as the parameters allow them."""
    block_px = 128 * draw(st.integers(1, 12))
    halo_px = 4 * draw(st.integers(0, (block_px - 4) // 8))
    return draw(sizes), block_px, halo_px


@settings(deadline=None)
@given(grids())
def test_cores_tile_an_axis_without_gap_or_overlap(grid):
    cores = [(start, stop) for _, _, start, stop in spans(*grid)]
    assert cores[0][0] == 0
    assert cores[-1][1] == grid[0]
    assert all(a[1] == b[0] for a, b in pairwise(cores))
    assert all(start < stop for start, stop in cores)


@settings(deadline=None)
@given(grids())
def test_windows_are_full_size_inside_the_image_or_the_whole_axis(grid):
    size_px, block_px, _ = grid
    for start, stop, _, _ in spans(*grid):
        assert 0 <= start < stop <= size_px
        assert stop - start == min(size_px, block_px)


@settings(deadline=None)
@given(grids())
def test_cores_keep_a_halo_on_every_side_that_has_a_neighbour(grid):
    size_px, _, halo_px = grid
    for read_start, read_stop, start, stop in spans(*grid):
        assert start - read_start >= (halo_px if start > 0 else 0)
        assert read_stop - stop >= (halo_px if stop < size_px else 0)


@settings(deadline=None)
@given(grids())
def test_all_but_the_last_window_lie_on_the_grid_from_the_origin(grid):
    _, block_px, halo_px = grid
    starts = [start for start, *_ in spans(*grid)]
    assert starts[:-1] == [i * (block_px - 2 * halo_px) for i in range(len(starts) - 1)]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 500), st.integers(1, 500), st.sampled_from([128, 256]), st.sampled_from([0, 60])
)
def test_every_pixel_belongs_to_exactly_one_core(height, width, block_px, halo_px):
    count = np.zeros((height, width), np.uint8)
    for window in window_grid((height, width), block_px, halo_px):
        count[window.core.slices] += 1
    assert (count == 1).all()


def test_image_of_one_window_is_read_and_kept_whole():
    (window,) = window_grid((1024, 7), 1024, 64)
    assert window.read == window.core == window.core_in_window == Box(0, 1024, 0, 7)


def test_last_window_shifts_inward_to_full_size():
    assert spans(1100, 512, 64) == [
        (0, 512, 0, 448),
        (384, 896, 448, 832),
        (588, 1100, 832, 1100),
    ]


def test_core_in_window_is_the_core_seen_from_the_window():
    window = window_grid((1100, 1100), 512, 64)[-1]
    image = np.arange(1100 * 1100).reshape(1100, 1100)
    seen = image[window.read.slices][window.core_in_window.slices]
    np.testing.assert_array_equal(seen, image[window.core.slices])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([16, 64, 100, 512]))
def test_tiles_cover_a_window_once(height, width, tile_px):
    count = np.zeros((height, width), int)
    for tile in tiles((height, width), tile_px):
        assert max(tile.shape) <= tile_px
        count[tile.slices] += 1
    assert (count == 1).all()


def test_intersection_is_the_common_part_or_none():
    assert Box(0, 10, 0, 10).intersection(Box(5, 20, 8, 9)) == Box(5, 10, 8, 9)
    assert Box(0, 10, 0, 10).intersection(Box(10, 20, 0, 10)) is None
    assert Box(2, 4, 5, 6).shifted(-2, 1) == Box(0, 2, 6, 7)
