from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from napari_gmff.network.interpolation import add_raised, row_weights

CPU = torch.device("cpu")
REACH_PX = 8


def raised(pooled: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Upsample (h, w, C) by torch's own function."""
    x = pooled.permute(2, 0, 1)[None]
    return F.interpolate(x, size, mode="bilinear", align_corners=True)[0].permute(1, 2, 0)


@pytest.mark.parametrize("size", [(128, 128), (384, 128), (4, 8), (128, 1024)])
def test_whole_window_equals_torch_interpolation(size):
    torch.manual_seed(0)
    h, w = size
    pooled = torch.randn(h // 4, w // 4, 3)
    features = torch.randn(h, w, 3)
    expected = 2.0 * features + raised(pooled, size)
    add_raised(features, pooled, row_weights(0, h, h, CPU), row_weights(0, w, w, CPU), identity=2.0)
    # torch rounds the position, ours only the weights: 1024 px leave it 3 digits fewer.
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("rows", "columns"), [((0, 100), (60, 256)), ((44, 300), (0, 88)), ((300, 384), (120, 200))]
)
def test_part_of_a_window_equals_the_crop_of_the_whole_away_from_cuts(rows, columns):
    torch.manual_seed(0)
    h, w = 384, 256
    pooled = torch.randn(h // 4, w // 4, 2)
    (y0, y1), (x0, x1) = rows, columns
    features = torch.zeros(y1 - y0, x1 - x0, 2)
    part = pooled[y0 // 4 : y1 // 4, x0 // 4 : x1 // 4]
    add_raised(
        features, part, row_weights(y0, y1, h, CPU), row_weights(x0, x1, w, CPU), identity=1.0
    )
    # A border of the window is not a cut.
    top, left = REACH_PX * (y0 > 0), REACH_PX * (x0 > 0)
    bottom = y1 - y0 - REACH_PX * (y1 < h)
    right = x1 - x0 - REACH_PX * (x1 < w)
    torch.testing.assert_close(
        features[top:bottom, left:right],
        raised(pooled, (h, w))[y0:y1, x0:x1][top:bottom, left:right],
        atol=1e-4,
        rtol=0,
    )


def test_constant_maps_stay_constant_up_to_the_cuts():
    features = torch.zeros(40, 60, 1)
    rows, columns = row_weights(64, 104, 256, CPU), row_weights(100, 160, 512, CPU)
    add_raised(features, torch.full((10, 15, 1), 3.0), rows, columns, identity=0.0)
    torch.testing.assert_close(features, torch.full_like(features, 3.0))
