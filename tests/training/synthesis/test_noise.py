from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.training.synthesis.noise import (
    band_noise,
    power_noise,
    smooth_field,
    to_unit_range,
)


def spectrum(field):
    """Power by distance from zero frequency, in cycles per image."""
    power = np.abs(np.fft.fft2(field * np.outer(*[np.hanning(side) for side in field.shape]))) ** 2
    y, x = (np.fft.fftfreq(side) * side for side in field.shape)
    distance = np.rint(np.hypot(y[:, None], x)).astype(int)
    return np.bincount(distance.ravel(), power.ravel()) / np.bincount(distance.ravel())


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_amplitude_falls_with_the_power_asked_for(exponent):
    field = power_noise(np.random.default_rng(0), (256, 256), exponent)
    power = spectrum(field)
    ratio = power[6:12].mean() / power[48:96].mean()
    assert np.log2(ratio) / 3 == pytest.approx(2 * exponent, abs=0.5)


def test_band_noise_has_spots_of_the_size_asked_for():
    power = spectrum(band_noise(np.random.default_rng(1), (256, 256), 8.0))
    frequencies = np.arange(len(power))
    # A period is a bright and a dark spot: 16 of them in 256 pixels.
    strongest = (power * frequencies)[1:].argmax() + 1
    assert 10 <= strongest <= 24


def test_noise_has_zero_mean_and_unit_variance_and_does_not_wrap_around():
    for field in (
        power_noise(np.random.default_rng(2), (64, 200), 2.0),
        band_noise(np.random.default_rng(2), (64, 200), 5.0),
        smooth_field(np.random.default_rng(2), (64, 200), 50.0),
    ):
        assert field.dtype == np.float32
        assert field.mean() == pytest.approx(0, abs=1e-4)
        assert field.std() == pytest.approx(1, abs=1e-4)
    slope = smooth_field(np.random.default_rng(2), (64, 200), 50.0)
    assert np.abs(slope[:, 0] - slope[:, -1]).max() > 5 * np.abs(np.diff(slope, axis=1)).max()


def test_a_single_pixel_is_no_noise():
    assert power_noise(np.random.default_rng(3), (1, 1), 1.0).tolist() == [[0]]


def test_a_constant_has_no_range_to_stretch():
    assert not to_unit_range(np.full((3, 3), 5, np.float32)).any()
    assert to_unit_range(np.float32([[2, 3, 4]])).tolist() == [[0, 0.5, 1]]
