"""What the engines that compute pixels share: weights by contrast, and sums over slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from scipy import ndimage

from napari_gmff.engines.base import EngineOptions, RangeRule, SmoothingRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatPlane = NDArray[np.float32]

_TRUNCATE = 4.0
"""Where a Gaussian ends, in sigmas."""

_CONTRAST_FLOOR = 1e-12
"""Slices without any contrast, such as constant ones, then weigh alike."""


class Blend:
    """What all engines of this package that compute pixels say alike.

    Parameters
    ----------
    options : EngineOptions
        The halo decides how coarse structures are blended, so that windows leave no seams.
    """

    preserves_pixels: ClassVar[Literal[False]] = False
    pixel_ns: ClassVar[float]
    """Work for each pixel and slice of one channel; see `Engine.work_ns`."""

    notes: tuple[str, ...] = ()

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.halo_px = (options or EngineOptions()).halo_px

    def input_rule(self, dtype: np.dtype[np.generic]) -> RangeRule:
        """Percentiles: only the floor of contrast depends on the scale."""
        del dtype
        return "percentiles"

    def smoothing_rule(self) -> SmoothingRule:
        """By the noise, of which the sharpest slice would else be the one with most of it."""
        return "auto-noise"

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        """One step for each slice."""
        del shape_yx
        return n_slices

    @classmethod
    def work_ns(cls, n_slices: int, shape_yx: tuple[int, int]) -> float:
        """Count the same for each pixel and slice."""
        return cls.pixel_ns * n_slices * shape_yx[0] * shape_yx[1]

    def describe(self) -> Mapping[str, object]:
        """Name the processor."""
        return {"device": "cpu"}


class WeightedMean:
    """A mean over slices, added up slice by slice.

    Parameters
    ----------
    n_channels : int
    shape_yx : tuple of int
    """

    def __init__(self, n_channels: int, shape_yx: tuple[int, int]) -> None:
        # float64: weights span many orders of magnitude.
        self._sums = np.zeros((n_channels, *shape_yx))
        self._weights = np.zeros(shape_yx)

    def weigh(self, weight: NDArray[np.float64]) -> None:
        """Count a slice's weights, (h, w), for all channels."""
        self._weights += weight

    def add(self, channel: int, plane: FloatPlane, weight: NDArray[np.float64]) -> None:
        """Add a slice's plane of one channel, (h, w)."""
        self._sums[channel] += weight * plane

    def finish(self, channel: int) -> FloatPlane:
        """Return the mean of a channel; NaN where nothing weighs."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: FloatPlane = (self._sums[channel] / self._weights).astype(np.float32)
        return mean


def contrast_weight(
    seen: FloatPlane, sigma_px: float, power: float, invalid: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Weigh the pixels of a slice by the contrast around them.

    Parameters
    ----------
    seen : ndarray, (h, w), float32
        Luminance in about 0...1.
    sigma_px : float
        Gaussian window that the squared Laplacian is averaged in.
    power : float
        Of that energy; the higher, the more the sharpest slice counts alone.
    invalid : ndarray, (h, w), bool, optional
        Where the slice is not finite, and weighs nothing.

    Returns
    -------
    ndarray, (h, w), float64
        Not negative; looks `contrast_reach_px` far.
    """
    energy = ndimage.laplace(seen.astype(np.float64), mode="reflect") ** 2
    energy = ndimage.gaussian_filter(energy, sigma_px, mode="reflect", truncate=_TRUNCATE)
    weight: NDArray[np.float64] = (np.maximum(energy, 0) + _CONTRAST_FLOOR) ** power
    return weight if invalid is None else np.where(invalid, 0.0, weight)


def contrast_reach_px(sigma_px: float) -> int:
    """Return how far `contrast_weight` looks."""
    return 1 + int(_TRUNCATE * sigma_px + 0.5)


def widest_sigma_px(reach_px: int) -> float:
    """Return the widest window, at least 1 px, with which `contrast_weight` looks no further."""
    return max(1.0, (reach_px - 1) / _TRUNCATE)


def box_mean(plane: FloatPlane, side_px: int) -> FloatPlane:
    """Average the square of `side_px` around each pixel, (h, w) float32."""
    # Not ndimage.uniform_filter: the rounding of its running sums depends on where they began.
    kernel = np.full(side_px, 1 / side_px)
    for axis in (0, 1):
        plane = ndimage.correlate1d(plane, kernel, axis, mode="reflect")
    return plane
