from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_gmff.restoration.diffusion.tiling import Blend, n_tiles, spread, tile_boxes

CPU = torch.device("cpu")
SHAPES = [(8, 8), (64, 64), (64, 65), (72, 64), (16, 200), (129, 131), (1, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [16, 64])
def test_tiles_cover_an_image_and_stay_inside(shape, side):
    covered = np.zeros(shape, int)
    boxes = tile_boxes(shape, side)
    for box in boxes:
        assert 0 <= box.y0 < box.y1 <= shape[0]
        assert 0 <= box.x0 < box.x1 <= shape[1]
        assert box.shape == (min(side, shape[0]), min(side, shape[1]))
        covered[box.slices] += 1
    assert covered.min() >= 1
    assert len(set(boxes)) == len(boxes) == n_tiles(shape, side)


def test_a_pixel_away_from_the_border_lies_well_inside_some_tile():
    boxes = tile_boxes((256, 256), 64)
    depth = np.zeros((256, 256))
    inside = np.minimum(np.arange(64), np.arange(63, -1, -1))
    for box in boxes:
        depth[box.slices] = np.maximum(depth[box.slices], np.minimum.outer(inside, inside))
    assert depth[64:-64, 64:-64].min() >= 15


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_of_tiles_cut_from_an_image_is_the_image(shape):
    image = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1))
    blend = Blend(2, shape, CPU)
    for box in tile_boxes(shape, 16):
        blend.add(box, image[(slice(None), *box.slices)])
    np.testing.assert_allclose(blend.result(), image, atol=1e-6)


def test_tiles_that_disagree_are_blended_without_a_step():
    blend = Blend(1, (64, 256), CPU)
    for number, box in enumerate(tile_boxes((64, 256), 64)):
        blend.add(box, torch.full((1, *box.shape), float(number % 2)))
    row = blend.result()[0, 32]
    assert row.min() < 0.01
    assert row.max() > 0.99
    assert row.diff().abs().max() < 0.25  # 1 where tiles are laid side by side


def test_some_of_many_are_spread_evenly():
    assert spread(range(100), 4) == [12, 37, 62, 87]
    assert spread("abc", 4) == ["a", "b", "c"]
