"""A preview is the middle of what is in view; an estimate counts what is in the mask."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff._napari.restoring.extents import PREVIEW_PX, estimate_in_words, preview_box
from napari_gmff._napari.restoring.restoration_parts import RestorationParts
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.windows import Box


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (Box(0, 100, 20, 400), Box(0, 100, 20, 400)),
        (Box(0, PREVIEW_PX + 100, 10, 30), Box(50, PREVIEW_PX + 50, 10, 30)),
        (Box(3, PREVIEW_PX + 4, 0, PREVIEW_PX), Box(3, PREVIEW_PX + 3, 0, PREVIEW_PX)),
    ],
)
def test_a_preview_is_the_middle_of_what_is_in_view(visible, expected):
    assert preview_box(RestoreParams(), visible) == expected


def test_a_region_goes_before_what_is_in_view():
    params = RestoreParams(region=((5, 25), (100, 2000)))
    box = preview_box(params, Box(0, 10, 0, 10))
    assert (box.y0, box.y1) == (5, 25)
    assert box.x1 - box.x0 == PREVIEW_PX


class CountingParts(RestorationParts):
    def estimate_s(self, params, masks, n_groups):
        del params
        return 60.0 * n_groups * sum(int(mask.sum()) for mask in masks)


def test_only_masked_pixels_of_region_and_times_are_counted():
    mask = np.zeros((3, 20, 20), bool)
    mask[:, 5, 5] = mask[2, 15, 15] = True
    parts = CountingParts()
    assert "4 min" in estimate_in_words(parts, RestoreParams(), mask, 1)
    assert "8 min" in estimate_in_words(parts, RestoreParams(), mask, 2)
    assert "2 min" in estimate_in_words(parts, RestoreParams(time=(2, 3)), mask, 1)
    only = RestoreParams(region=((10, 20), (10, 20)), time=(2, 3))
    assert "1 min" in estimate_in_words(parts, only, mask, 1)
    assert estimate_in_words(parts, RestoreParams(time=(0, 1), region=only.region), mask, 1) == ""
