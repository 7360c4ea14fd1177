from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.training.synthesis import textures


@pytest.mark.parametrize("shape_yx", [(1, 1), (2, 9), (48, 33)], ids=str)
@pytest.mark.parametrize("kind", dict.fromkeys(textures._KINDS), ids=lambda kind: kind.__name__)
def test_every_kind_is_drawn_at_any_size_within_0_to_1(kind, shape_yx):
    for seed in range(3):
        texture = kind(np.random.default_rng(seed), shape_yx)
        assert texture.shape == shape_yx
        assert texture.dtype == np.float32
        assert 0 <= texture.min() <= texture.max() <= 1


def test_textures_are_sharp_and_differ_in_brightness():
    rng = np.random.default_rng(0)
    drawn = [textures.random_texture(rng, (96, 96)) for _ in range(40)]
    assert all(0 <= texture.min() <= texture.max() <= 1 for texture in drawn)
    detail = [(texture - ndimage.gaussian_filter(texture, 1.5)).std() for texture in drawn]
    assert np.median(detail) > 0.03
    means = [texture.mean() for texture in drawn]
    assert min(means) < 0.35
    assert max(means) > 0.65
