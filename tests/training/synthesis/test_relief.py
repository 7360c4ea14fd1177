from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.relief import relief_stack

GREY = np.full((40, 40), 0.5)
RISING = np.linspace(0, 4, 40) * np.ones((40, 1))
"""Rises along x: a slope that looks towards smaller x."""
ROOF = 4 - 4 * np.abs(np.linspace(-1, 1, 40)) * np.ones((40, 1))
"""Rises along x to the middle and falls again."""


def lit(depth=RISING, **changes):
    values = {"n_slices": 5, "blur_px_per_slice": 0.0, "px_per_slice": 5.0} | changes
    return relief_stack(values.pop("albedo", GREY), depth, **values)


def test_light_along_the_axis_on_an_even_surface_shows_the_albedo():
    albedo = np.random.default_rng(0).random((40, 40))
    made = lit(np.full((40, 40), 2.0), albedo=albedo, light_elevation_deg=90)
    assert np.allclose(made.stack, albedo, atol=1e-5)


def test_the_slope_that_looks_towards_the_light_is_brighter():
    # At 0 degrees light comes from larger x, which is where the roof falls.
    made = lit(ROOF, light_azimuth_deg=0)
    assert made.sharp[20, 30] > made.sharp[20, 10] + 0.1
    turned = lit(ROOF, light_azimuth_deg=180)
    assert turned.sharp[20, 10] > turned.sharp[20, 30] + 0.1
    from_y = lit(ROOF.T, light_azimuth_deg=90)
    assert from_y.sharp[30, 20] > from_y.sharp[10, 20] + 0.1


def test_ambient_light_has_no_shadow():
    assert np.allclose(lit(ROOF, ambient=1.0).sharp, 0.5, atol=1e-5)


def test_highlights_saturate_and_grow_with_defocus():
    dome = np.maximum(0, 4 - 0.02 * ((np.indices((40, 40)) - 20) ** 2).sum(0))
    made = lit(
        dome, albedo=0.2 * GREY, specular=30.0, shininess=100, light_elevation_deg=90,
        blur_px_per_slice=1.5, px_per_slice=4.0,
    )  # fmt: skip
    assert made.stack.max() == 1
    assert made.sharp.max() == 1
    saturated = np.count_nonzero(made.stack[:, 5:35, 5:35] == 1, axis=(1, 2))
    assert saturated[0] > saturated[4] > 0


def test_height_is_the_truth_within_the_margin():
    made = lit(RISING, margin_px=5)
    assert made.stack.shape == (5, 30, 30)
    assert np.allclose(made.depth, RISING[5:-5, 5:-5])
    assert np.array_equal(made.index, np.rint(made.depth))


def test_pixels_are_sharp_in_the_slice_at_their_height():
    albedo = np.random.default_rng(1).random((40, 40))
    made = lit(np.full((40, 40), 3.0), albedo=albedo, blur_px_per_slice=1.0)
    assert made.stack.std((1, 2)).argmax() == 3
    assert np.allclose(made.stack[3], made.sharp, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"light_elevation_deg": 95}, "light_elevation_deg must be a finite number, 0 to 90"),
        ({"ambient": 1.5}, "ambient must be a finite number, 0 to 1, got 1.5"),
        ({"specular": -1}, "specular must be a finite number, at least 0, got -1"),
        ({"depth": GREY[:30]}, r"depth must have shape \(40, 40\), got \(30, 40\)"),
        ({"margin_px": 20}, "margin_px must leave a view"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        lit(**changes)
