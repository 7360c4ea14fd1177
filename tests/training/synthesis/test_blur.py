from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.blur import BlurLadder, blurred_stack

NOISE = ndimage.gaussian_filter(
    np.random.default_rng(0).random((70, 61)).astype(np.float32), 0.8, mode="reflect"
)
CONTRAST = float(NOISE.std())


def disk_blurred(image: np.ndarray, radius_px: float, finer: int = 8) -> np.ndarray:
    """Average over a disk literally, its rim sampled finely."""
    reach = int(np.ceil(radius_px)) + 1
    side = (2 * reach + 1) * finer
    y, x = (np.indices((side, side)) + 0.5) / finer - reach - 0.5
    inside = (np.hypot(y, x) <= radius_px).reshape(2 * reach + 1, finer, 2 * reach + 1, finer)
    kernel = inside.mean((1, 3))
    return ndimage.correlate(image, kernel / kernel.sum(), mode="reflect")


@pytest.mark.parametrize("sigma_px", [0.9, 1.7, 4.3, 11.0])
def test_gaussian_blur_is_that_of_scipy_also_between_rungs_and_at_the_border(sigma_px):
    ladder = BlurLadder(NOISE, 12.0)
    expected = ndimage.gaussian_filter(NOISE, sigma_px, mode="reflect", truncate=6)
    assert np.abs(ladder.at(sigma_px) - expected).max() < 0.03 * CONTRAST


@pytest.mark.parametrize("radius_px", [4.0, 7.3])
def test_disk_blur_is_an_average_over_a_disk(radius_px):
    ladder = BlurLadder(NOISE, radius_px, "disk")
    error = ladder.at(radius_px) - disk_blurred(NOISE, radius_px)
    assert np.abs(error).max() < 0.05 * CONTRAST


def test_each_pixel_is_blurred_by_its_own_width():
    widths = np.where(np.arange(61) < 30, 0.0, 3.0) * np.ones((70, 1))
    mixed = BlurLadder(NOISE, 3.0).at(widths)
    assert np.array_equal(mixed[:, :30], NOISE[:, :30])
    expected = ndimage.gaussian_filter(NOISE, 3.0, truncate=6)[:, 30:]
    assert np.allclose(mixed[:, 30:], expected, atol=1e-3)


def test_blur_keeps_the_amount_of_light():
    for shape in ("gaussian", "disk"):
        blurred = BlurLadder(NOISE, 9.0, shape).at(7.7)
        assert blurred.mean() == pytest.approx(NOISE.mean(), rel=1e-4)


def test_a_ladder_without_blur_returns_the_image():
    assert np.array_equal(BlurLadder(NOISE, 0.0).at(0.0), NOISE)


def test_a_pixel_is_untouched_in_the_slice_of_its_depth_and_fades_away_from_it():
    depth = np.full(NOISE.shape, 2.0)
    made = blurred_stack(NOISE, depth, 5, 0.8)
    assert np.array_equal(made.stack[2], NOISE)
    contrast = made.stack.std((1, 2))
    assert contrast[2] > contrast[1] > contrast[0]
    assert contrast[1] == pytest.approx(contrast[3])


def test_the_sharp_image_is_what_the_objective_shows_in_focus():
    made = blurred_stack(NOISE, np.full(NOISE.shape, 1.0), 3, 1.0, base_sigma_px=1.2)
    expected = ndimage.gaussian_filter(NOISE, 1.2, truncate=6)
    assert np.allclose(made.sharp, expected, atol=2e-3)
    assert np.allclose(made.stack[1], made.sharp, atol=1e-5)
    out_of_focus = ndimage.gaussian_filter(NOISE, np.hypot(1.2, 1.0), truncate=6)
    assert np.allclose(made.stack[0], out_of_focus, atol=3e-3)


def test_with_a_margin_the_border_sees_its_real_surroundings():
    depth = np.full((40, 31), 0.0)
    made = blurred_stack(NOISE, depth, 2, 3.0, margin_px=15)
    expected = ndimage.gaussian_filter(NOISE, 3.0, truncate=6)[15:-15, 15:-15]
    assert np.allclose(made.stack[1], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_slices": 2.5}, "n_slices must be a whole number of at least 1, got 2.5"),
        ({"blur_px_per_slice": np.nan}, "blur_px_per_slice must be a finite number.*got nan"),
        ({"base_sigma_px": -1}, "base_sigma_px must be a finite number, at least 0, got -1"),
        ({"shape": "square"}, "shape must be one of gaussian, disk, got 'square'"),
        ({"depth": np.full((70, 61), 3.0)}, "depth must lie within 0 to 2 slices, got 3 to 3"),
        ({"depth": np.zeros((70, 60))}, r"depth must have shape \(70, 61\), got \(70, 60\)"),
        ({"sharp": np.zeros((3, 70, 61))}, r"sharp must be an image \(Y, X\), got shape \(3, 70"),
        ({"sharp": np.full((70, 61), np.inf)}, "sharp must be finite everywhere"),
    ],
)
def test_a_bad_value_is_refused_by_name(changes, message):
    values = {
        "sharp": NOISE, "depth": np.zeros(NOISE.shape), "n_slices": 3, "blur_px_per_slice": 1.0
    }  # fmt: skip
    with pytest.raises(ParameterError, match=message):
        blurred_stack(**(values | changes))
