"""The law of defocus: how blurred the sharpest slice still is.

Away from focus sigma squared grows with the square of the distance, equally fast everywhere in a
stack; of light from a cone of one aperture that is geometry, and wave optics differ from it only
within the depth of field. How fast is measured where the blur of several slices is known. In each
cell the same parabola, moved along z, then says where the focus is, also between slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.restoration.consistency.blur_ladder import RUNG_VARIANCES
from napari_gmff.restoration.consistency.cells import filled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_PX2 = 0.8 * float(RUNG_VARIANCES[-1])
"""Blurs near the widest rung may as well be wider."""

_LEAST_SLICES = 3
"""Of known blur, in a cell that is asked how fast it grows."""

_LEAST_CELLS = 4

_BEYOND_STEPS = 2.0
"""How many steps of the stack a focus may lie beyond its ends."""


def remaining_blur(
    variance_px2: NDArray[np.float64], known: NDArray[np.bool_], z: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the blur that is left in the sharpest slice.

    Parameters
    ----------
    variance_px2 : ndarray, (n_slices, ny, nx)
        Sigma squared of each slice in px², by cell, measured against the fused image.
    known : ndarray, (n_slices, ny, nx), bool
        Where it was measured.
    z : ndarray, (n_slices,), or None
        Positions of the slices in any unit; None where they have no order.

    Returns
    -------
    ndarray, (ny, nx)
        Sigma squared in px²; 0 everywhere where slices have no order, or too few are known.
    """
    nothing = np.zeros(variance_px2.shape[1:])
    if z is None or len(z) < _LEAST_SLICES or np.ptp(z) == 0:
        return nothing
    place = (z - z.mean()) / np.ptp(z)  # squares of it stay well conditioned
    usable = known & (variance_px2 < _LARGEST_PX2)
    curvature, is_fitted = _fitted(variance_px2, usable, np.stack([place**2, place, place**0]))
    grows = is_fitted & (usable.sum(axis=0) >= _LEAST_SLICES) & (curvature > 0)
    if grows.sum() < _LEAST_CELLS:
        return nothing
    growth = float(np.median(curvature[grows]))
    straight = variance_px2 - growth * place[:, None, None] ** 2
    slope, has_focus = _fitted(straight, usable, np.stack([place, place**0]))
    margin = _BEYOND_STEPS * float(np.diff(np.sort(place)).mean())
    focus = np.clip(-slope / (2 * growth), place.min() - margin, place.max() + margin)
    focus = filled(focus, has_focus)
    distance = np.abs(focus - place[:, None, None]).min(axis=0)
    return np.asarray(np.minimum(growth * distance**2, RUNG_VARIANCES[-1]))


def _fitted(
    values: NDArray[np.float64], usable: NDArray[np.bool_], terms: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fit terms (m, n_slices) to values (n_slices, ny, nx) by least squares, cell by cell.

    Returns the factor of the first term, and where there were slices enough to tell.
    """
    weight = usable.astype(np.float64)
    products = np.einsum("ik,jk,kyx->yxij", terms, terms, weight)
    right = np.einsum("ik,kyx->yxi", terms, weight * values)
    is_fitted = usable.sum(axis=0) >= len(terms)
    products[~is_fitted] = np.eye(len(terms))
    factors = np.linalg.solve(products, right[..., None])[..., 0]
    return factors[..., 0], is_fitted
