"""Where a restoration may change pixels, and how much it counts there.

Outside the mask the weight is exactly 0 and pixels are copied, so nothing of a model gets there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPECK_PX = 64
"""Areas of low confidence with fewer pixels stay as measured: they are noise of the confidence."""

CONTEXT_PX = 64
"""What the model sees around the mask, where the image has it."""

LEAST_SIDE_PX = 512
"""Sides that the model was made for; a smaller part is given with more around it."""


def mask_of_confidence(confidence: NDArray[np.floating[Any]], below: float) -> NDArray[np.bool_]:
    """Return where confidence is too low, without specks.

    Parameters
    ----------
    confidence : ndarray, (Y, X)
        From 0 to 1; pixels that are not finite count as unsure.
    below : float
        Pixels of at least this confidence are never in the mask, not even in its holes.
    """
    return without_specks(~(confidence >= below))


def without_specks(mask: NDArray[np.bool_], least_px: int = SPECK_PX) -> NDArray[np.bool_]:
    """Return a mask (Y, X) without its areas of fewer pixels; pixels touch at sides only."""
    labels, n_areas = ndimage.label(mask)
    if not n_areas:
        return mask
    is_kept = np.bincount(labels.ravel()) >= least_px
    is_kept[0] = False
    return np.asarray(is_kept[labels])


def checked_mask(mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Check a mask that was given, such as a painted one.

    Parameters
    ----------
    mask : array_like
        Axes YX or TYX of the fused image: bool, or 0 and 1 of any number type. YX counts for all
        time points.
    shape : tuple of int
        Of the fused image without channels, (Y, X) or (T, Y, X).

    Returns
    -------
    ndarray, bool
        Of the shape `shape`.

    Raises
    ------
    ParameterError
        If it has another size or other values, or nothing is to be restored.
    """
    given = np.asarray(mask)
    if given.dtype.kind not in "buif":
        raise ParameterError(f"mask: must be bool or hold 0 and 1, got {given.dtype}")
    if given.shape not in (shape, shape[-2:], (1, *shape)):
        wanted = " × ".join(map(str, shape))
        found = " × ".join(map(str, given.shape)) or "a single value"
        raise ParameterError(f"mask: must be {wanted} pixels as the fused image, got {found}")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ParameterError("mask: must hold 0 and 1 only, got NaN or infinity")
    is_wanted = given != 0
    wrong = given[is_wanted & (given != 1)]
    if wrong.size:
        raise ParameterError(f"mask: must hold 0 and 1 only, got {wrong.flat[0]}")
    if not is_wanted.any():
        raise ParameterError("mask: is empty, there is nothing to restore")
    if given.shape == (1, *shape):
        is_wanted = is_wanted[0]
    return np.broadcast_to(is_wanted, shape)


def feathered(mask: NDArray[np.bool_], feather_px: int) -> NDArray[np.float32]:
    """Return how much the restoration counts at each pixel.

    Parameters
    ----------
    mask : ndarray, (Y, X), bool
        The border of the image is no edge of it.
    feather_px : int
        Width inside its edge over which the weight rises from 0 to 1, as half a cosine.

    Returns
    -------
    ndarray, (Y, X), float32
        From 0 to 1: 0 exactly where `mask` is false, above 0 where it is true.
    """
    if feather_px == 0 or mask.all():
        return mask.astype(np.float32)
    depth_px = ndimage.distance_transform_edt(mask)
    rise = np.clip(depth_px / (feather_px + 1), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rise), np.float32)


def box_around(mask: NDArray[np.bool_]) -> Box | None:
    """Return the part of an image that the model is given, None where the mask is empty.

    It holds the mask with `CONTEXT_PX` around it and measures at least `LEAST_SIDE_PX`, as far as
    the image goes.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    height, width = mask.shape
    y0, y1 = _side(int(rows[0]), int(rows[-1]) + 1, height)
    x0, x1 = _side(int(columns[0]), int(columns[-1]) + 1, width)
    return Box(y0, y1, x0, x1)


def _side(start: int, stop: int, size_px: int) -> tuple[int, int]:
    start, stop = max(start - CONTEXT_PX, 0), min(stop + CONTEXT_PX, size_px)
    missing = min(LEAST_SIDE_PX, size_px) - (stop - start)
    if missing > 0:
        start = min(max(start - missing // 2, 0), size_px - (stop - start) - missing)
        stop = start + min(LEAST_SIDE_PX, size_px)
    return start, stop
