"""The stationary wavelet transform of an image of any size; the transform itself is PyWavelets'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatPlane = NDArray[np.float32]
    Details = tuple[FloatPlane, FloatPlane, FloatPlane]

WAVELET = "db2"
"""Four taps: short filters look less far, and the halo of a window covers more scales."""

_TAPS = 4


@dataclass(frozen=True)
class SwtBands:
    """Bands of an image, all of one size.

    Attributes
    ----------
    approximation : ndarray, (h, w), float32
        What is left above the coarsest scale.
    details : list of tuple of ndarray, (h, w), float32
        Horizontal, vertical and diagonal details of every scale, finest first. Scaled so that
        energy is kept: the squares of all bands together add up to those of the image.
    """

    approximation: FloatPlane
    details: list[Details]


def swt_reach_px(levels: int) -> int:
    """Return how far from a pixel its coefficients look; an image made of them looks as far."""
    return (_TAPS - 1) * ((1 << levels) - 1)


class Swt:
    """Transforms images of one size there and back, mirrored beyond their border.

    Bands are larger than the image by a margin, so that nothing of what the transform does at its
    ends is ever seen.

    Parameters
    ----------
    shape_yx : tuple of int
        Height and width of the images, any size.
    levels : int
        Number of scales, each twice the last.

    Attributes
    ----------
    padded_shape_yx : tuple of int
        Of the bands.
    """

    def __init__(self, shape_yx: tuple[int, int], levels: int) -> None:
        self.levels = levels
        margin_px = 2 * swt_reach_px(levels)
        self._part = tuple(slice(margin_px, margin_px + size) for size in shape_yx)
        # The transform wants a multiple of 2**levels.
        fills = [-(size + 2 * margin_px) % 2**levels for size in shape_yx]
        self._margins = [(margin_px, margin_px + fill) for fill in fills]
        height, width = (
            size + 2 * margin_px + fill for size, fill in zip(shape_yx, fills, strict=True)
        )
        self.padded_shape_yx = (height, width)

    def padded(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return an image, or what belongs to its pixels, as large as the bands."""
        return np.pad(plane, self._margins, mode="symmetric")

    def forward(self, plane: FloatPlane) -> SwtBands:
        """Transform an image, (h, w) float32; the bands have the margin still."""
        import pywt

        found = pywt.swt2(self.padded(plane), WAVELET, self.levels, trim_approx=True, norm=True)
        approximation, *coarse_first = found
        return SwtBands(approximation, list(reversed(coarse_first)))

    def inverse(self, bands: SwtBands) -> FloatPlane:
        """Make the image, (h, w) float32, of bands with their margin."""
        import pywt

        # float64: the averages over shifts round differently at other places of an image, and a
        # window's place must not be seen in grey levels.
        coarse_first = [tuple(map(np.float64, level)) for level in reversed(bands.details)]
        image = pywt.iswt2([np.float64(bands.approximation), *coarse_first], WAVELET, norm=True)
        return self.cropped(image.astype(np.float32))

    def cropped(self, band: FloatPlane) -> FloatPlane:
        """Return the part of a band that lies over the image."""
        return band[self._part]


def forward_swt(plane: FloatPlane, levels: int) -> SwtBands:
    """Transform an image, mirrored beyond its border.

    Parameters
    ----------
    plane : ndarray, (h, w), float32
        Of any size.
    levels : int
        Number of scales, each twice the last.

    Returns
    -------
    SwtBands
        Of the image's size. A coefficient depends on the image within `swt_reach_px` alone, and
        on that bit for bit.
    """
    height, width = plane.shape
    swt = Swt((height, width), levels)
    bands = swt.forward(plane)
    details = [
        (swt.cropped(across), swt.cropped(down), swt.cropped(diagonal))
        for across, down, diagonal in bands.details
    ]
    return SwtBands(swt.cropped(bands.approximation), details)
