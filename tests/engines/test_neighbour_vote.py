from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.engines.neighbour_vote import (
    CELL_PX,
    VOTE_MARGIN_PX,
    vote_within,
    voted_scores,
)
from napari_gmff.scores import TileScores
from napari_gmff.windows import Box, tiles

SHAPE = (96, 128)
N_SLICES = 6
BELOW = 0.3


def shares(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of slices, (N, h, w)."""
    relative = np.exp(logits - logits.max(0))
    return relative / relative.sum(0)


def mixed_logits(seed: int = 0) -> np.ndarray:
    """Return logits of pixels that are sure on the left, unsure on the right."""
    rng = np.random.default_rng(seed)
    spread = np.geomspace(6, 0.1, SHAPE[1])
    return (rng.standard_normal((N_SLICES, *SHAPE)) * spread).astype(np.float32)


def test_where_a_slice_stands_out_nothing_changes_to_the_last_bit():
    logits = mixed_logits()
    is_sure = shares(logits).max(0) >= BELOW + 1e-6
    assert 0.2 < is_sure.mean() < 0.8
    found = voted_scores(logits, BELOW)
    np.testing.assert_array_equal(found[:, is_sure], logits[:, is_sure])
    assert found.dtype == np.float32


def test_scores_after_a_vote_are_logarithms_of_probabilities():
    logits = mixed_logits()
    is_unsure = shares(logits).max(0) < BELOW - 1e-6
    found = voted_scores(logits, BELOW)[:, is_unsure]
    np.testing.assert_allclose(np.exp(found).sum(0), 1, rtol=1e-5)


def test_an_unsure_pixel_takes_the_slice_its_surroundings_are_for():
    logits = np.zeros((N_SLICES, *SHAPE), np.float32)
    logits[2] = 0.3
    logits[:, 40, 60] = 0.0
    logits[5, 40, 60] = 0.4
    assert shares(logits).max() < BELOW
    assert logits[:, 40, 60].argmax() == 5
    assert (voted_scores(logits, BELOW).argmax(0) == 2).all()


def test_sure_neighbours_weigh_in_with_all_they_know():
    """One sure pixel outvotes a handful that hardly prefer another slice."""
    logits = np.zeros((N_SLICES, *SHAPE), np.float32)
    logits[1] = 0.01
    logits[4, 42, 62] = 50
    found = voted_scores(logits, BELOW).argmax(0)
    assert found[41, 61] == 4
    assert found[41 - 3 * CELL_PX, 61] == 1


def test_the_vote_is_a_weighted_mean_over_cells_blended_between_their_centres():
    logits = mixed_logits()
    probability = shares(logits)
    y, x = 37, 121
    assert probability[:, y, x].max() < BELOW
    expected = np.zeros(N_SLICES)
    for y_cell, y_share in ((8, 0.125), (9, 0.875)):
        for x_cell, x_share in ((29, 0.125), (30, 0.875)):
            for dy, wy in ((-1, 0.25), (0, 0.5), (1, 0.25)):
                for dx, wx in ((-1, 0.25), (0, 0.5), (1, 0.25)):
                    top, left = CELL_PX * (y_cell + dy), CELL_PX * (x_cell + dx)
                    cell = probability[:, top : top + CELL_PX, left : left + CELL_PX]
                    expected += y_share * x_share * wy * wx * cell.mean((1, 2))
    np.testing.assert_allclose(np.exp(voted_scores(logits, BELOW)[:, y, x]), expected, rtol=1e-5)


def test_scores_stay_finite_where_no_neighbour_gives_a_slice_anything():
    logits = np.zeros((N_SLICES, *SHAPE), np.float32)
    logits[0] = -1e4
    found = voted_scores(logits, BELOW)
    assert np.isfinite(found).all()
    assert (found.argmax(0) != 0).all()


def test_fewer_slices_than_the_threshold_can_doubt_never_vote():
    logits = np.random.default_rng(1).standard_normal((3, *SHAPE)).astype(np.float32)
    assert voted_scores(logits, BELOW) is logits


@pytest.mark.parametrize("tile_px", [16, 32, 64])
def test_votes_in_tiles_are_those_of_the_whole_to_the_last_bit(tile_px):
    logits = mixed_logits()
    whole = voted_scores(logits, BELOW)

    def items():
        for tile in tiles(SHAPE, tile_px):
            yield None
            grown = tile.grown(VOTE_MARGIN_PX, SHAPE)
            for k in range(N_SLICES):
                yield TileScores(k, grown, logits[(k, *grown.slices)].copy())

    found = np.full_like(logits, np.nan)
    seen, n_items = [], 0
    for item in vote_within(items(), BELOW, N_SLICES, SHAPE):
        n_items += 1
        if item is not None:
            found[(item.slice_index, *item.tile.slices)] = item.scores
            assert item.scores.flags.c_contiguous
            seen.append((item.tile, item.slice_index))
    assert seen == [(tile, k) for tile in tiles(SHAPE, tile_px) for k in range(N_SLICES)]
    assert n_items == len(list(tiles(SHAPE, tile_px))) * (1 + 2 * N_SLICES)
    np.testing.assert_array_equal(found, whole)


def test_a_vote_looks_no_farther_than_its_margin():
    logits = mixed_logits()
    tile = Box(32, 48, 64, 96)
    other = mixed_logits(seed=9)
    inside = tile.grown(VOTE_MARGIN_PX, SHAPE).slices
    other[:, *inside] = logits[:, *inside]
    expected = voted_scores(logits, BELOW)[:, *tile.slices]
    np.testing.assert_array_equal(voted_scores(other, BELOW)[:, *tile.slices], expected)
