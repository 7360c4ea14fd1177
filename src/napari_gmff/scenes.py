"""Synthetic focus stacks with known truth, for the demo, tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatImage = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A stack and what is true of it.

    Attributes
    ----------
    stack : ndarray, (Z, Y, X), uint16
        What a camera would deliver.
    sharp : ndarray, (Y, X), float64
        The same scene with every pixel in focus and without noise, in the stack's units.
    depth_slices : ndarray, (Y, X), float64
        Continuous true depth in slices, 0 to Z - 1.
    textured : ndarray, (Y, X), bool
        Where focus can be judged at all.
    z_step_um, pixel_size_um : float
        Voxel size in µm.
    """

    stack: NDArray[np.uint16]
    sharp: FloatImage
    depth_slices: FloatImage
    textured: NDArray[np.bool_]
    z_step_um: float = 0.5
    pixel_size_um: float = 0.2

    @property
    def index(self) -> NDArray[np.intp]:
        """The slice nearest to the true depth, (Y, X)."""
        return np.rint(self.depth_slices).astype(np.intp)


def relief_scene(
    size_px: int = 768,
    n_slices: int = 12,
    *,
    step: bool = True,
    photons: float = 4000.0,
    blur_px_per_slice: float = 0.8,
    seed: int = 0,
) -> Scene:
    """Make a textured relief, tilted, with hills and (optionally) a raised plateau.

    Parameters
    ----------
    size_px : int
        Side of the square image.
    n_slices : int
        Number of slices, evenly spaced through the relief.
    step : bool
        Whether there is a plateau with a vertical edge.
    photons : float
        Photons at full scale; infinite for no noise.
    blur_px_per_slice : float
        Gaussian sigma in pixels by which each slice of defocus blurs.
    seed : int
        Fixes texture, relief and noise.

    Returns
    -------
    Scene
        Full scale is 40,000 grey levels.
    """
    rng = np.random.default_rng(seed)
    depth = _relief(size_px, n_slices, step, rng)
    texture, textured = _patchy_texture(size_px, rng)
    blur = _BlurLadder(texture, blur_px_per_slice * n_slices)
    slices = [blur.at(blur_px_per_slice * np.abs(depth - k)) for k in range(n_slices)]
    return Scene(_camera(slices, photons, rng), 40_000 * texture, depth, textured)


def fluorescence_scene(
    size_px: int = 512,
    n_slices: int = 12,
    *,
    n_blobs: int = 150,
    grain: float = 0.05,
    photons: float = np.inf,
    haze: float = 0.0,
    gain: float = 1.0,
    blur_px_per_slice: float = 1.0,
    seed: int = 0,
) -> Scene:
    """Make bright, finely structured blobs at known depths on a dark background.

    Parameters
    ----------
    size_px, n_slices, photons, blur_px_per_slice, seed
        As for `relief_scene`.
    n_blobs : int
        Number of blobs.
    grain : float
        Contrast of the fine structure inside blobs; little, as here, is hard to focus on.
    haze : float
        Strength of the out-of-focus background, as a fraction of full scale.
    gain : float
        Brightness; 0.1 uses a tenth of the camera's range.

    Returns
    -------
    Scene
        `textured` marks the blobs' pixels.
    """
    rng = np.random.default_rng(seed)
    texture = np.clip(1 + grain * _band(size_px, 1.0, rng), 0, None)
    planes = np.zeros((n_slices, size_px, size_px))
    nearest = np.zeros((size_px, size_px))
    brightest = np.zeros((size_px, size_px))
    yy, xx = np.mgrid[:size_px, :size_px]
    for _ in range(n_blobs):
        y, x = rng.uniform(0, size_px, 2)
        k, radius = int(rng.integers(n_slices)), rng.uniform(4, 12)
        shape = np.clip(1.5 - np.hypot(yy - y, xx - x) / radius, 0, 1) * rng.uniform(0.2, 0.8)
        planes[k] = np.maximum(planes[k], shape * texture)
        nearest[shape > brightest] = k
        brightest = np.maximum(brightest, shape)
    background = haze * ndimage.gaussian_filter(planes.sum(0), 20)
    slices = []
    for k in range(n_slices):
        blurred = [
            ndimage.gaussian_filter(planes[j], blur_px_per_slice * abs(j - k))
            for j in range(n_slices)
        ]
        slices.append(gain * np.clip(sum(blurred) + background + 0.02, 0, 1))
    sharp = 40_000 * gain * planes.max(0)
    return Scene(_camera(slices, photons, rng), sharp, nearest, brightest > 0.1)


class _BlurLadder:
    """Gaussian blur whose sigma changes from pixel to pixel, interpolated between fixed sigmas."""

    def __init__(self, image: FloatImage, sigma_max_px: float) -> None:
        self._sigmas = np.concatenate([[0.0], np.geomspace(0.3, max(sigma_max_px, 0.4), 24)])
        self._images = [ndimage.gaussian_filter(image, sigma) for sigma in self._sigmas]

    def at(self, sigma_px: FloatImage) -> FloatImage:
        place = np.interp(sigma_px, self._sigmas, np.arange(len(self._sigmas)))
        result = np.zeros_like(sigma_px)
        for rung, image in enumerate(self._images):
            result += image * np.clip(1 - np.abs(place - rung), 0, None)
        return result


def _band(size_px: int, sigma_px: float, rng: np.random.Generator) -> FloatImage:
    """Noise of one feature size, zero mean, unit variance."""
    noise = ndimage.gaussian_filter(rng.standard_normal((size_px, size_px)), sigma_px, mode="wrap")
    return np.asarray((noise - noise.mean()) / noise.std())


def _relief(size_px: int, n_slices: int, step: bool, rng: np.random.Generator) -> FloatImage:
    y, x = np.mgrid[:size_px, :size_px] / size_px
    height = 0.55 * x + 0.25 * y + 0.08 * _band(size_px, size_px / 9, rng)
    if step:
        height = height + 0.35 * (np.hypot(y - 0.62, x - 0.36) < 0.2)
    height = (height - height.min()) / np.ptp(height)
    return np.asarray(height * (n_slices - 1))


def _patchy_texture(size_px: int, rng: np.random.Generator) -> tuple[FloatImage, NDArray[np.bool_]]:
    """Texture of several sizes whose contrast fades to nothing in places."""
    grain = _band(size_px, 0.7, rng) + _band(size_px, 2.0, rng) + 0.7 * _band(size_px, 6.0, rng)
    contrast = np.clip(0.75 + 0.45 * _band(size_px, size_px / 16, rng), 0, 1)
    image = np.clip(0.45 + 0.1 * contrast * grain, 0.02, 1)
    return image, contrast > 0.25


def _camera(
    slices: list[FloatImage], photons: float, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Shot noise and 16-bit digitisation; full scale is 40,000 grey levels."""
    stack = np.stack(slices)
    if np.isfinite(photons):
        stack = rng.poisson(stack * photons) / photons
    return np.clip(np.rint(40_000 * stack), 0, 65_535).astype(np.uint16)
