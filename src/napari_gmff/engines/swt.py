"""The stationary wavelet transform of an image of any size; the transform itself is PyWavelets'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatPlane = NDArray[np.float32]

WAVELET = "db2"
"""Four taps: short filters look less far, and the halo of a window covers more scales."""

_TAPS = 4


@dataclass(frozen=True)
class SwtBands:
    """Bands of an image, all of its size.

    Attributes
    ----------
    approximation : ndarray, (h, w), float32
        What is left above the coarsest scale.
    details : list of tuple of ndarray, (h, w), float32
        Horizontal, vertical and diagonal details of every scale, finest first. Scaled so that
        energy is kept: the squares of all bands together add up to those of the image.
    """

    approximation: FloatPlane
    details: list[tuple[FloatPlane, FloatPlane, FloatPlane]]


def swt_reach_px(levels: int) -> int:
    """Return how far from a pixel its coefficients look."""
    return (_TAPS - 1) * (2**levels - 1)


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
        A coefficient depends on the image within `swt_reach_px` alone, and on that bit for bit.
    """
    import pywt

    margin_px = swt_reach_px(levels)
    padded = np.pad(plane, _margins(plane.shape, margin_px, levels), mode="symmetric")
    lowest, *coarse_first = pywt.swt2(padded, WAVELET, levels, trim_approx=True, norm=True)
    part = tuple(slice(margin_px, margin_px + size) for size in plane.shape)
    details = [tuple(band[part] for band in level) for level in reversed(coarse_first)]
    return SwtBands(lowest[part], details)


def _margins(shape: tuple[int, ...], margin_px: int, levels: int) -> list[tuple[int, int]]:
    """Return what is added before and after; the transform wants a multiple of 2**levels."""
    return [(margin_px, margin_px + -(size + 2 * margin_px) % 2**levels) for size in shape]
