"""Random fields with a chosen spectrum: the stuff of textures, depth maps and roughness."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

FloatImage = NDArray[np.float32]


@lru_cache(maxsize=16)
def radial_frequency(shape_yx: tuple[int, int]) -> FloatImage:
    """Return the frequency of each coefficient of a cosine transform (DCT-II).

    Returns
    -------
    ndarray, (Y, X), float32
        In cycles per pixel, 0 to 0.71; shared, so read only.
    """
    y, x = (np.arange(side, dtype=np.float32) / (2 * side) for side in shape_yx)
    frequency: FloatImage = np.hypot(y[:, None], x[None, :])
    frequency.setflags(write=False)
    return frequency


def power_noise(rng: np.random.Generator, shape_yx: tuple[int, int], exponent: float) -> FloatImage:
    """Make noise whose amplitude falls with a power of frequency, without wrapping around.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where chance comes from.
    shape_yx : tuple of int
        Each at least 1.
    exponent : float
        Amplitude is frequency to the power of minus this: 0 is white, 1 like photographs, 2 and
        more smooth hills.

    Returns
    -------
    ndarray, (Y, X), float32
        Zero mean, unit variance (all zero where there is nothing to vary).
    """
    return _from_spectrum(rng, _nonzero_frequency(shape_yx) ** np.float32(-exponent))


def band_noise(
    rng: np.random.Generator, shape_yx: tuple[int, int], size_px: float, octaves: float = 0.5
) -> FloatImage:
    """Make noise of one feature size.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where chance comes from.
    shape_yx : tuple of int
        Each at least 1.
    size_px : float
        Width of a typical bright or dark spot: half a period.
    octaves : float
        Width of the band: standard deviation of the logarithm of frequency.

    Returns
    -------
    ndarray, (Y, X), float32
        Zero mean, unit variance (all zero where there is nothing to vary).
    """
    frequency = _nonzero_frequency(shape_yx)
    distance = np.log2(frequency * (2 * size_px)) / octaves
    return _from_spectrum(rng, np.exp(-0.5 * distance**2) / frequency)


def smooth_field(rng: np.random.Generator, shape_yx: tuple[int, int], size_px: float) -> FloatImage:
    """Make a field that changes over about `size_px` and has no finer detail.

    Returns
    -------
    ndarray, (Y, X), float32
        Zero mean, unit variance (all zero where there is nothing to vary).
    """
    return _from_spectrum(rng, np.exp(-0.5 * (radial_frequency(shape_yx) * (2 * size_px)) ** 2))


def to_unit_range(field: FloatImage) -> FloatImage:
    """Return the field stretched to 0 to 1; a constant becomes 0."""
    low, high = field.min(), field.max()
    if high <= low:
        return np.zeros_like(field)
    # Rounding may step a hair beyond 1.
    return np.asarray(np.clip((field - low) / (high - low), 0, 1), np.float32)


def _nonzero_frequency(shape_yx: tuple[int, int]) -> FloatImage:
    frequency = radial_frequency(shape_yx).copy()
    frequency[0, 0] = 1
    return frequency


def _from_spectrum(rng: np.random.Generator, amplitude: FloatImage) -> FloatImage:
    coefficients = rng.standard_normal(amplitude.shape, np.float32) * amplitude
    coefficients[0, 0] = 0
    field: FloatImage = fft.idctn(coefficients, norm="ortho", overwrite_x=True)
    deviation = float(field.std())
    return field / np.float32(deviation) if deviation > 0 else field
