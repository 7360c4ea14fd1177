"""Scenes by the papers' recipe from photographs, written apart from the training's generator.

References
----------
.. [1] X. Xie et al., "General Multi-focus Image Fusion Network" (StackMFF V3), 2025, Algorithm 1.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.evaluation.depths import depth_map
from napari_gmff.evaluation.photographs import Photograph, read_photograph, shipped_photograph
from napari_gmff.evaluation.scene import EvaluationScene, photographed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 41_000_000

_TEXTURE_GREY_LEVELS = 2.5
"""Least local contrast of detail for a pixel to count as textured."""


def recipe_scene(
    number: int,
    size_px: int,
    n_slices: int = 12,
    *,
    noise_grey: float = 0.0,
    picture: Path | None = None,
) -> EvaluationScene:
    """Make a stack from a photograph by the papers' recipe.

    Parameters
    ----------
    number : int
        Of the scene; chooses photograph and depth.
    size_px : int
        Side; a smaller photograph gives a smaller scene.
    n_slices : int
        Of the stack.
    noise_grey : float
        Standard deviation of Gaussian noise, in grey levels of 255.
    picture : Path, optional
        Photograph instead of one of scikit-image's.

    Returns
    -------
    EvaluationScene
        8-bit.
    """
    sharp, bins, stack = _clean(number, size_px, n_slices, picture)
    if noise_grey:
        rng = np.random.default_rng([SEED, number, n_slices])
        stack = photographed(stack / 255.0, 255, np.uint8, rng, read_noise=noise_grey / 255)
    return EvaluationScene(
        stack=stack,
        sharp=sharp.astype(np.float32),
        depth=bins.astype(np.float32),
        full_scale=255,
        objects=textured(sharp.astype(np.float32)),
    )


@lru_cache(maxsize=16)
def _clean(
    number: int, size_px: int, n_slices: int, picture: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.uint8]]:
    photograph = shipped_photograph(number) if picture is None else read_photograph(picture)
    photograph = photograph.cropped(size_px)
    bins = equal_bins(_depth(photograph, number), n_slices)
    return photograph.grey, bins, stack_by_recipe(photograph.grey, bins, n_slices)


def _depth(photograph: Photograph, number: int) -> NDArray[np.float32]:
    if photograph.depth is not None:
        return photograph.depth
    return depth_map(number, photograph.grey.shape, np.random.default_rng([SEED, number]))


def equal_bins(depth: NDArray[np.floating], n_slices: int) -> NDArray[np.intp]:
    """Cut the range of a depth map into equal bins, numbered from 0."""
    low, high = float(depth.min()), float(depth.max())
    place = (depth - low) / (high - low if high > low else 1.0) * n_slices
    return np.clip(place.astype(np.intp), 0, n_slices - 1)


def stack_by_recipe(
    sharp: NDArray[np.uint8], bins: NDArray[np.intp], n_slices: int
) -> NDArray[np.uint8]:
    """Blur every pixel by its distance, in bins, from each slice; (N, Y, X)."""
    blurred = np.stack([_opencv_blur(sharp, distance) for distance in range(n_slices)])
    return np.concatenate(
        [np.take_along_axis(blurred, np.abs(bins - k)[None], axis=0) for k in range(n_slices)]
    )


def _opencv_blur(image: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """Blur with a Gaussian kernel of 2 d + 1 pixels and the sigma OpenCV takes for that size."""
    if not distance:
        return image
    sigma_px = 0.3 * (distance - 1) + 0.8
    offsets = np.arange(-distance, distance + 1)
    kernel = np.exp(-0.5 * (offsets / sigma_px) ** 2)
    kernel /= kernel.sum()
    rows = ndimage.correlate1d(image.astype(np.float64), kernel, axis=0, mode="mirror")
    both = ndimage.correlate1d(rows, kernel, axis=1, mode="mirror")
    return np.asarray(np.clip(np.rint(both), 0, 255), np.uint8)


def textured(
    sharp: NDArray[np.float32], contrast: float = _TEXTURE_GREY_LEVELS
) -> NDArray[np.bool_]:
    """Return where fine detail has at least this standard deviation, over about 10 px."""
    detail = sharp - ndimage.gaussian_filter(sharp, 1.5)
    return np.asarray(ndimage.gaussian_filter(detail * detail, 2.5) > contrast**2)
