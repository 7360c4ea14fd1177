"""The colour step: what a generated image lacks of its input's broad structure is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_LEVELS = 5


def with_low_band_of(
    image: NDArray[np.float32], source: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Replace the low band of an image by that of another.

    The low band is what five levels of the à-trous wavelet transform with a binomial filter leave
    (Holschneider et al., 1990), as in StableSR (Wang et al., 2023) and DiffBIR. Measured: periods
    above about 70 px come from the source, everything finer from the image.

    Parameters
    ----------
    image, source : ndarray, (3, H, W), float32
        The generated image, and its input.

    Returns
    -------
    ndarray, (3, H, W), float32
    """
    # The band is linear in the pixels, so that of the difference is enough.
    return np.stack(
        [plane + _low_band(other - plane) for plane, other in zip(image, source, strict=True)]
    )


def _low_band(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    for level in range(N_LEVELS):
        for axis in (0, 1):
            plane = _smoothed(plane, 2**level, axis)
    return plane


def _smoothed(plane: NDArray[np.float32], reach_px: int, axis: int) -> NDArray[np.float32]:
    """Filter by (1, 2, 1) / 4, its taps apart by a reach; the border is repeated."""
    widths = [(0, 0), (0, 0)]
    widths[axis] = (reach_px, reach_px)
    padded = np.moveaxis(np.pad(plane, widths, mode="edge"), axis, 0)
    smoothed = np.float32(0.25) * (padded[: -2 * reach_px] + padded[2 * reach_px :])
    smoothed += np.float32(0.5) * padded[reach_px:-reach_px]
    return np.moveaxis(smoothed, 0, axis)
