from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.wavelet_maximum import WaveletMaximum, _voted
from tests.engines.blends import ArraySource, blended
from tests.engines.classical import noise


@pytest.mark.parametrize(("halo_px", "levels"), [(0, 1), (32, 2), (64, 3), (96, 4)])
def test_there_are_as_many_scales_as_the_halo_allows(halo_px, levels):
    assert WaveletMaximum(EngineOptions(halo_px=halo_px)).levels == levels


def test_a_lone_choice_is_outvoted_by_its_neighbours():
    choice = np.ones((9, 9), np.int32)
    choice[4, 4] = 3
    assert (_voted(choice, 4) == 1).all()


def test_a_border_between_two_choices_stays_where_it_is():
    choice = np.zeros((12, 12), np.int32)
    choice[:, 6:] = 2
    np.testing.assert_array_equal(_voted(choice, 3), choice)


def test_a_speck_in_a_slice_far_off_is_not_taken():
    sharp = 100 * noise(90, 90)
    speck = np.full((90, 90), 50.0)
    speck[45, 45] = 90
    found = blended(WaveletMaximum(), ArraySource(np.stack([sharp, speck])))
    assert np.abs(found[0] - sharp)[40:50, 40:50].mean() < 8
