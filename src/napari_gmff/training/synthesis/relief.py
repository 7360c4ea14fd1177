"""Reflected light on a relief: shading by slope, highlights that saturate, blur by height."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_gmff.training.synthesis.blur import (
    BlurLadder,
    BlurShape,
    defocused_slices,
    farthest_slices,
    grown,
    inner_view,
    random_base_sigma,
    random_blur_rate,
    random_blur_shape,
)
from napari_gmff.training.synthesis.checks import (
    check_count,
    check_within,
    checked_depth,
    checked_image,
    checked_shape,
    view_shape,
)
from napari_gmff.training.synthesis.depths import random_depth
from napari_gmff.training.synthesis.noise import band_noise, power_noise
from napari_gmff.training.synthesis.synthetic_stack import SyntheticStack, ordered_stack
from napari_gmff.training.synthesis.textures import random_texture

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.images import ImageSource

FloatImage = NDArray[np.float32]

_MARGIN_PX = 24


def relief_stack(
    albedo: ArrayLike,
    depth: ArrayLike,
    n_slices: int,
    blur_px_per_slice: float,
    *,
    px_per_slice: float = 1.0,
    light_azimuth_deg: float = 0.0,
    light_elevation_deg: float = 45.0,
    ambient: float = 0.3,
    specular: float = 0.0,
    shininess: float = 30.0,
    shape: BlurShape = "gaussian",
    base_sigma_px: float = 0.0,
    margin_px: int = 0,
) -> SyntheticStack:
    """Light a relief from the side and look at it through a microscope.

    Parameters
    ----------
    albedo : array_like, (Y + 2 margin, X + 2 margin)
        Share of light that the surface scatters, 0 to 1.
    depth : array_like, (Y + 2 margin, X + 2 margin)
        Height of the surface in slices, 0 to `n_slices` - 1.
    n_slices : int
        At least 1.
    blur_px_per_slice : float
        Sigma (Gaussian) or radius (disk) that each slice of defocus adds.
    px_per_slice : float
        Distance of two slices in pixels: what turns depth into slopes.
    light_azimuth_deg, light_elevation_deg : float
        Where light comes from; at 90 degrees of elevation, along the optical axis.
    ambient : float
        Share of the light that comes from everywhere, 0 to 1.
    specular : float
        Brightness of highlights where the surface mirrors the light into the lens; above 1 they
        saturate, and grow with defocus.
    shininess : float
        How small highlights are: the exponent of Blinn and Phong.
    shape : {'gaussian', 'disk'}
        Shape of the blur.
    base_sigma_px : float
        Gaussian blur that is there in focus too.
    margin_px : int
        Border that is not part of the view.

    Returns
    -------
    SyntheticStack
        (N, Y, X), 0 to 1: brighter light is cut off, in `sharp` too.

    Raises
    ------
    ParameterError
        If a parameter makes no sense or shapes do not fit.
    """
    check_count("n_slices", n_slices)
    for name, value in (("blur_px_per_slice", blur_px_per_slice), ("specular", specular)):
        check_within(name, value, 0)
    check_within("px_per_slice", px_per_slice, 0)
    check_within("light_elevation_deg", light_elevation_deg, 0, 90)
    check_within("ambient", ambient, 0, 1)
    surface = checked_image("albedo", albedo)
    shape_yx = view_shape(surface.shape, margin_px)
    height = checked_depth(depth, (surface.shape[0], surface.shape[1]), n_slices)
    light = _direction(light_azimuth_deg, light_elevation_deg)
    normal = _normals(height * np.float32(px_per_slice))
    bright = surface * (ambient + (1 - ambient) * np.maximum(_dot(normal, light), 0))
    if specular > 0:
        halfway = light + np.array([0.0, 0.0, 1.0])
        mirrored = np.maximum(_dot(normal, halfway / np.linalg.norm(halfway)), 0)
        bright += specular * mirrored ** np.float32(shininess)
    view = inner_view(shape_yx, margin_px)
    seen = height[view]
    width_px = blur_px_per_slice * farthest_slices(seen, n_slices)
    ladder = BlurLadder(bright, width_px, shape, base_sigma_px, view)
    stack = defocused_slices(ladder, seen, n_slices, blur_px_per_slice)
    # The camera saturates after the lens has blurred.
    sharp = np.clip(ladder.focused, 0, 1)
    return ordered_stack(np.minimum(stack, 1, out=stack), seen, sharp, "relief")


def random_relief(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: ImageSource
) -> SyntheticStack:
    """Draw a surface, its light and a microscope; see `relief_stack`.

    Parameters and errors: `napari_gmff.training.synthesis.mixture.random_scene`.
    """
    check_count("n_slices", n_slices)
    shape_yx = checked_shape(shape_yx)
    whole_yx = grown(shape_yx, _MARGIN_PX)
    blur = random_blur_shape(rng)
    return relief_stack(
        _random_albedo(rng, whole_yx, images),
        _random_height(rng, whole_yx, n_slices),
        n_slices,
        random_blur_rate(rng) * (1.0 if blur == "gaussian" else 2.0),
        px_per_slice=float(np.exp(rng.uniform(np.log(0.5), np.log(8)))),
        light_azimuth_deg=rng.uniform(0, 360),
        light_elevation_deg=rng.uniform(15, 90),
        ambient=rng.uniform(0, 0.6),
        specular=0.0 if rng.random() < 0.5 else rng.uniform(0.2, 4),
        shininess=float(np.exp(rng.uniform(np.log(8), np.log(200)))),
        shape=blur,
        base_sigma_px=random_base_sigma(rng),
        margin_px=_MARGIN_PX,
    )


def _random_albedo(
    rng: np.random.Generator, shape_yx: tuple[int, int], images: ImageSource
) -> FloatImage:
    """Draw a pattern, whose contrast may be low or fade in places."""
    pattern = images.crop(rng, shape_yx) if rng.random() < 0.6 else random_texture(rng, shape_yx)
    contrast = np.float32(rng.uniform(0.1, 1))
    if rng.random() < 0.3:
        fade = power_noise(rng, shape_yx, 2.0)
        contrast = contrast * np.clip(0.6 + 0.5 * fade, 0, 1)
    mean = np.float32(rng.uniform(0.4, 0.9))
    albedo = mean + contrast * (pattern - pattern.mean())
    return np.asarray(np.clip(albedo, 0, 1), np.float32)


def _random_height(
    rng: np.random.Generator, shape_yx: tuple[int, int], n_slices: int
) -> FloatImage:
    """Draw a depth map with a roughness that is mostly finer than a slice."""
    depth = random_depth(rng, shape_yx, n_slices)
    amplitude = np.float32(np.exp(rng.uniform(np.log(0.01), np.log(0.3))))
    if rng.random() < 0.5:
        rough = power_noise(rng, shape_yx, rng.uniform(0.6, 1.4))
    else:
        rough = band_noise(rng, shape_yx, rng.uniform(1.5, 6))
    return np.clip(depth + amplitude * rough, 0, n_slices - 1)


def _direction(azimuth_deg: float, elevation_deg: float) -> NDArray[np.float64]:
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    flat = np.cos(elevation)
    return np.array([np.sin(azimuth) * flat, np.cos(azimuth) * flat, np.sin(elevation)])


def _normals(height_px: FloatImage) -> NDArray[np.float32]:
    """Return unit vectors (y, x, z) that stand on the surface, (3, Y, X)."""
    slopes = [
        np.gradient(height_px, axis=axis) if height_px.shape[axis] > 1 else np.zeros_like(height_px)
        for axis in (0, 1)
    ]
    normal = np.stack([-slopes[0], -slopes[1], np.ones_like(height_px)])
    return np.asarray(normal / np.sqrt((normal * normal).sum(0)), np.float32)


def _dot(vectors: NDArray[np.float32], direction: NDArray[np.float64]) -> FloatImage:
    return np.asarray(np.tensordot(direction.astype(np.float32), vectors, 1), np.float32)
