"""Put what a model changed into the fused image, inside the mask and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def blended(
    fused: NDArray[Any], change: NDArray[np.floating[Any]], weight: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Add a change to the fused image, as far as the mask lets it.

    Parameters
    ----------
    fused : ndarray, (C, h, w)
        In grey levels.
    change : ndarray, (C, h, w)
        In grey levels.
    weight : ndarray, (h, w), float32
        From 0 to 1.

    Returns
    -------
    ndarray, (C, h, w), float64
        Not rounded; exactly `fused` where the weight is 0.
    """
    exact = fused.astype(np.float64)
    return np.where(weight > 0, exact + weight * change, exact)


def as_pixels(
    values: NDArray[np.float64], fused: NDArray[Any], weight: NDArray[np.float32]
) -> NDArray[Any]:
    """Return values as pixels of the fused image's type, copied from it where the weight is 0.

    Parameters
    ----------
    values : ndarray, (C, h, w), float64
        In grey levels; whole numbers are rounded to, and clipped to the limits of the type.
    fused : ndarray, (C, h, w)
        Bit for bit what is returned outside the mask, and where it is not finite.
    weight : ndarray, (h, w), float32
        From 0 to 1.
    """
    dtype = fused.dtype
    is_float = dtype.kind == "f"
    limits: Any = np.finfo(dtype) if is_float else np.iinfo(dtype)
    rounded = values if is_float else np.rint(values)
    is_new = (weight > 0) & np.isfinite(values)
    clipped = np.clip(np.where(is_new, rounded, 0), limits.min, limits.max).astype(dtype)
    return np.where(is_new, clipped, fused)
