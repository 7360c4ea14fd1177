from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.blur import blurred_stack
from napari_gmff.training.synthesis.overlap import overlap_stack, see_through

SHAPE = (60, 60)
NEAR, FAR = np.zeros(SHAPE), np.full(SHAPE, 4.0)


def texture(seed: int, contrast: float) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.0)
    return np.clip(0.4 + contrast * noise / noise.std(), 0, 1)


STRONG, WEAK = texture(0, 0.12), texture(1, 0.03)


def test_fluorescent_sheets_add_up_each_blurred_by_its_own_depth():
    made = overlap_stack([STRONG, WEAK], [NEAR, FAR], 5, 1.0)
    alone = [blurred_stack(s, d, 5, 1.0).stack for s, d in ((STRONG, NEAR), (WEAK, FAR))]
    assert np.allclose(made.stack, alone[0] + alone[1], atol=1e-5)
    assert np.allclose(made.sharp, STRONG + WEAK, atol=1e-5)


def test_absorbing_sheets_multiply():
    made = overlap_stack([STRONG, WEAK], [NEAR, FAR], 5, 1.0, "multiply")
    alone = [blurred_stack(s, d, 5, 1.0).stack for s, d in ((STRONG, NEAR), (WEAK, FAR))]
    assert np.allclose(made.stack, alone[0] * alone[1], atol=1e-5)


@pytest.mark.parametrize("mixing", ["add", "multiply"])
@pytest.mark.parametrize("strong_first", [True, False])
def test_truth_is_the_depth_of_the_sheet_with_more_contrast(mixing, strong_first):
    sheets, depths = [STRONG, WEAK], [NEAR, FAR]
    if not strong_first:
        sheets, depths = sheets[::-1], depths[::-1]
    made = overlap_stack(sheets, depths, 5, 1.0, mixing)
    assert np.mean(made.index == 0) > 0.99


def test_truth_changes_where_the_stronger_sheet_ends():
    left = STRONG * (np.arange(60) < 30)
    made = see_through([left, WEAK], [NEAR, FAR], 5, 1.0)
    assert (made.synthetic.index[:, :25] == 0).mean() > 0.99
    assert (made.synthetic.index[:, 40:] == 4).all()
    assert np.array_equal(made.depths[1], FAR)
    assert (made.contrasts[0] > made.contrasts[1])[:, :25].mean() > 0.99


def test_where_sheets_are_equally_strong_focus_cannot_be_judged():
    made = overlap_stack([STRONG, STRONG], [NEAR, FAR], 5, 1.0)
    assert not made.texture.any()
    assert overlap_stack([STRONG, WEAK], [NEAR, FAR], 5, 1.0).texture.mean() > 0.9


def test_places_without_light_have_no_depth():
    dark = np.arange(60) >= 30
    made = overlap_stack([STRONG * ~dark, WEAK * ~dark], [NEAR, FAR], 5, 1.0)
    assert made.known[:, :28].all()
    assert not made.known[:, 40:].any()


def test_bad_values_are_refused():
    with pytest.raises(ParameterError, match="mixing must be one of add, multiply, got 'max'"):
        overlap_stack([STRONG], [NEAR], 5, 1.0, "max")
    with pytest.raises(ParameterError, match="of the same number, at least 1, got 2 and 1"):
        overlap_stack([STRONG, WEAK], [NEAR], 5, 1.0)
    with pytest.raises(ParameterError, match=r"depths\[1\] must lie within 0 to 2 slices"):
        overlap_stack([STRONG, WEAK], [NEAR, FAR], 3, 1.0)
