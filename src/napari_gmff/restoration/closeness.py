"""How close an image is to what is taken for the truth, inside an area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import without_gaps
from napari_gmff.metrics import psnr_db, ssim
from napari_gmff.restoration.perceptual import lpips_map
from napari_gmff.sampling import percentile_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SSIM_PX = 11
"""Side of the window of SSIM."""


@dataclass(frozen=True)
class Closeness:
    """How close an image is to another.

    Attributes
    ----------
    psnr_db : float
        Peak signal-to-noise ratio in dB, where the peak is the robust range of the truth; infinite
        for equal images.
    ssim : float
        Structural similarity, 1 for equal images; NaN where the image is too small for it.
    lpips : float or None
        Perceptual distance, 0 for equal images; None where the package ``lpips`` is not installed.
    """

    psnr_db: float
    ssim: float
    lpips: float | None = None


def closeness(
    image: NDArray[Any], truth: NDArray[Any], where: NDArray[np.bool_]
) -> Closeness | None:
    """Compare an image with the truth inside an area, each channel in its own range.

    Parameters
    ----------
    image, truth : ndarray, (C, Y, X), same shape
        In grey levels; what is not finite in either does not count.
    where : ndarray, (Y, X), bool
        Pixels that count.

    Returns
    -------
    Closeness or None
        Of all channels together; None where no pixel counts.
    """
    counts = where & np.isfinite(image).all(axis=0) & np.isfinite(truth).all(axis=0)
    if not counts.any():
        return None
    ranges = [percentile_range(plane.astype(np.float32)) for plane in truth]
    planes, true_planes = (
        np.stack(
            [
                (without_gaps(plane.astype(np.float32)).astype(np.float64) - low) / (high - low)
                for plane, (low, high) in zip(channels, ranges, strict=True)
            ]
        )
        for channels in (image, truth)
    )
    similar = float("nan")
    if min(where.shape) >= _LEAST_SSIM_PX:
        found = [
            ssim(one, true, 1.0, counts) for one, true in zip(planes, true_planes, strict=True)
        ]
        similar = float(np.mean(found))
    distance = lpips_map(planes, true_planes)
    return Closeness(
        psnr_db(planes[:, counts], true_planes[:, counts], 1.0),
        similar,
        None if distance is None else float(distance[counts].mean()),
    )
