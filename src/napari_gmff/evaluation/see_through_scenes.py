"""See-through scenes: two textured sheets on one line of sight, whose light adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.evaluation.depths import hills
from napari_gmff.evaluation.scene import EvaluationScene, photographed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 44_000_000

_WHITE = 40_000.0
_CLEARLY = 1.5
"""Contrast of one sheet over that of the other from which a pixel has one true depth."""


def see_through(
    number: int,
    size_px: int,
    n_slices: int = 12,
    *,
    photons: float = 5000.0,
    blur_px_per_slice: float = 0.8,
) -> EvaluationScene:
    """Return two sheets in front of each other, each with texture in places.

    True is the depth of the sheet with more contrast; pixels where neither clearly has more are
    left out of `objects`.

    Parameters
    ----------
    number, size_px, n_slices
        Of the scene.
    photons : float
        At white.
    blur_px_per_slice : float
        Sigma of the Gaussian blur for each slice of defocus.
    """
    rng = np.random.default_rng([SEED, number])
    shape = (size_px, size_px)
    near = 0.35 * hills(shape, rng) * (n_slices - 1)
    far = (0.6 + 0.4 * hills(shape, rng)) * (n_slices - 1)
    sheets = [_sheet(size_px, rng) for _ in range(2)]
    light = np.zeros((n_slices, *shape))
    for (image, _), depth in zip(sheets, (near, far), strict=True):
        for k in range(n_slices):
            light[k] += _blurred(image, blur_px_per_slice * np.abs(depth - k))
    (near_image, near_contrast), (far_image, far_contrast) = sheets
    near_wins = near_contrast > far_contrast
    clear = np.maximum(near_contrast, far_contrast) > _CLEARLY * np.minimum(
        near_contrast, far_contrast
    )
    visible = np.maximum(near_contrast, far_contrast) > 0.02
    return EvaluationScene(
        stack=photographed(light, _WHITE, np.uint16, rng, photons=photons),
        sharp=(_WHITE * (near_image + far_image)).astype(np.float32),
        depth=np.where(near_wins, near, far).astype(np.float32),
        full_scale=_WHITE,
        objects=clear & visible,
        known=clear & visible,
    )


def _sheet(
    size_px: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a sheet's light and the local contrast of its texture, both (Y, X)."""
    patches = _noise(size_px, size_px / 14, rng)
    strength = 0.07 * np.clip(0.5 + patches, 0, 1.5)
    grain = _noise(size_px, 0.8, rng) + 0.8 * _noise(size_px, 2.0, rng)
    return np.clip(0.22 + strength * grain, 0, None), strength


def _noise(size_px: int, sigma_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    noise = ndimage.gaussian_filter(rng.standard_normal((size_px, size_px)), sigma_px, mode="wrap")
    return np.asarray(noise / noise.std())


def _blurred(image: NDArray[np.float64], sigma_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Blur with a sigma that changes slowly, interpolated between fixed ones."""
    rungs = np.concatenate([[0.0], np.geomspace(0.3, max(float(sigma_px.max()), 0.4), 14)])
    place = np.interp(sigma_px, rungs, np.arange(len(rungs)))
    result = np.zeros_like(image)
    for rung, sigma in enumerate(rungs):
        share = np.clip(1 - np.abs(place - rung), 0, None)
        if share.any():
            result += share * ndimage.gaussian_filter(image, sigma)
    return result
