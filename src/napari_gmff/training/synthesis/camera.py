"""What a camera and everyday life do to a focus stack: noise, bits, flicker, dust, drift."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.synthetic_stack import FloatImage, SyntheticStack

Slices = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """How a stack is photographed; the defaults change nothing but the number of bits.

    Attributes
    ----------
    photons : float
        Photons that full scale stands for; infinite for no shot noise.
    read_noise : float
        Standard deviation of the electronics' noise, as a fraction of full scale.
    bits : int
        Of the camera, 1 to 16.
    exposure : float
        Brightness; 0.1 uses a tenth of the range, above 1 saturates.
    offset : float
        Black level as a fraction of full scale.
    flicker : float
        Standard deviation of the brightness from slice to slice, relative.
    fading : float
        Share of the brightness lost from the first slice to the last (bleaching).
    vignetting : float
        Share of the brightness lost in the corners.
    n_dust : int
        Dark specks on the camera's window, the same in every slice.
    hot_pixels : float
        Share of pixels that are always bright.
    drift_px : float
        Largest shift of a slice, relative to where the truth is.
    gamma : float
        Exponent of the tone curve; 1 is linear.
    jpeg_quality : int or None
        Compression to 8 bit; None for none.
    """

    photons: float = math.inf
    read_noise: float = 0.0
    bits: int = 16
    exposure: float = 1.0
    offset: float = 0.0
    flicker: float = 0.0
    fading: float = 0.0
    vignetting: float = 0.0
    n_dust: int = 0
    hot_pixels: float = 0.0
    drift_px: float = 0.0
    gamma: float = 1.0
    jpeg_quality: int | None = None

    def __post_init__(self) -> None:
        quality = self.jpeg_quality
        rules = {
            "photons": (self.photons > 0, "above 0"),
            "bits": (1 <= self.bits <= 16, "1 to 16"),
            "exposure": (self.exposure > 0, "above 0"),
            "gamma": (self.gamma > 0, "above 0"),
            "jpeg_quality": (quality is None or 1 <= quality <= 100, "1 to 100, or None"),
        }
        for name in ("read_noise", "flicker", "n_dust", "drift_px"):
            rules[name] = (getattr(self, name) >= 0, "0 or above")
        for name in ("offset", "fading", "vignetting", "hot_pixels"):
            rules[name] = (0 <= getattr(self, name) < 1, "0 to below 1")
        for name, (is_kept, rule) in rules.items():
            if not is_kept:
                raise ParameterError(f"{name}: must be {rule}, got {getattr(self, name)!r}")


def photographed(scene: SyntheticStack, camera: Camera, rng: np.random.Generator) -> SyntheticStack:
    """Return what a camera makes of a clean stack; the truth stays as it is.

    Parameters
    ----------
    scene : SyntheticStack
        Linear in light, 0 to about 1.
    camera : Camera
        What goes wrong, and how much.
    rng : numpy.random.Generator
        Draws noise, flicker, dust and drift.

    Returns
    -------
    SyntheticStack
        Pixels in 0 to 1, in steps of the camera's last bit.
    """
    slices = scene.stack
    if camera.drift_px:
        slices = _drifted(slices, camera.drift_px, rng)
    slices = slices * _brightness(len(slices), camera, rng)[:, None, None]
    if camera.vignetting or camera.n_dust:
        slices = slices * _window(slices.shape[1:], camera, rng)
    slices = _noisy(np.clip(slices + np.float32(camera.offset), 0, None), camera, rng)
    if camera.hot_pixels:
        _heat(slices, camera.hot_pixels, rng)
    slices = np.clip(slices, 0, 1)
    if camera.gamma != 1:
        slices = slices ** np.float32(camera.gamma)
    levels = np.float32(2**camera.bits - 1)
    slices = np.rint(slices * levels) / levels
    if camera.jpeg_quality is not None:
        slices = np.stack([_jpeg(one, camera.jpeg_quality) for one in slices])
    return scene.with_stack(np.ascontiguousarray(slices, np.float32))


def random_camera(
    rng: np.random.Generator, mean_level: float = 0.3, least_photons: float = 50
) -> Camera:
    """Draw a camera: a quarter are nearly perfect, the others combine several faults.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws everything.
    mean_level : float
        Typical brightness of the scene: how much overexposure it takes to saturate it.
    least_photons : float
        What a pixel at the scene's brightest collects at least; 50,000 at most.

    Returns
    -------
    Camera
        Photons are counted at the scene's brightest, however dim it is exposed.
    """
    if rng.random() < 0.25:
        return Camera(bits=int(rng.choice([8, 12, 16])))

    def sometimes(chance: float, low: float, high: float, otherwise: float = 0.0) -> float:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
        return value if rng.random() < chance else otherwise

    eight_bit = rng.random() < 0.3
    exposure = sometimes(0.3, 0.06, 1.0, 1.0)
    if rng.random() < 0.06:
        exposure = rng.uniform(1.2, 2.5) * min(1.0, 0.4 / mean_level)
    return Camera(
        photons=sometimes(0.85, least_photons, 50_000, math.inf) / min(exposure, 1.0),
        read_noise=sometimes(0.45, 0.001, 0.03),
        bits=8 if eight_bit else int(rng.choice([12, 16])),
        exposure=exposure,
        offset=sometimes(0.3, 0.002, 0.1),
        flicker=sometimes(0.25, 0.005, 0.08),
        fading=sometimes(0.15, 0.02, 0.5),
        vignetting=sometimes(0.15, 0.05, 0.5),
        n_dust=int(rng.integers(1, 12)) if rng.random() < 0.12 else 0,
        hot_pixels=sometimes(0.08, 0.0001, 0.003),
        drift_px=sometimes(0.2, 0.1, 1.0),
        gamma=sometimes(0.15, 0.45, 2.0, 1.0),
        jpeg_quality=int(rng.integers(60, 96)) if eight_bit and rng.random() < 0.4 else None,
    )


def with_distractors(
    scene: SyntheticStack, n_blank: int, n_doubled: int, rng: np.random.Generator
) -> SyntheticStack:
    """Insert slices that show nothing new: fully defocused ones, and copies of others.

    A copy bears its original's place in `order`, so that either may be chosen.

    Parameters
    ----------
    scene : SyntheticStack
        N slices.
    n_blank, n_doubled : int
        How many of each.
    rng : numpy.random.Generator
        Draws where they come to stand.
    """
    slices, order = list(scene.stack), list(scene.order)
    first = list(range(scene.n_slices))  # position in `scene` of each; -1 for what was added
    for _ in range(n_blank):
        source = scene.stack[rng.integers(scene.n_slices)]
        sigma = max(source.shape) / rng.uniform(6, 20)
        place = int(rng.integers(len(slices) + 1))
        slices.insert(place, ndimage.gaussian_filter(source, sigma, mode="nearest"))
        order.insert(place, -1)
        first.insert(place, -1)
    for _ in range(n_doubled):
        source = int(rng.integers(scene.n_slices))
        place = int(rng.integers(len(slices) + 1))
        slices.insert(place, scene.stack[source])
        order.insert(place, scene.order[source])
        first.insert(place, -1)
    moved = np.array([first.index(position) for position in range(scene.n_slices)], np.intp)
    return SyntheticStack(
        stack=np.stack(slices),
        index=moved[scene.index],
        depth=scene.depth,
        sharp=scene.sharp,
        texture=scene.texture,
        known=scene.known,
        order=tuple(order),
        kind=scene.kind,
    )


def _drifted(slices: Slices, drift_px: float, rng: np.random.Generator) -> Slices:
    """Shift slices along a smooth random path, or each by itself."""
    path = rng.standard_normal((len(slices), 2))
    if rng.random() < 0.5:
        path = np.cumsum(path, axis=0)
    path -= path[len(path) // 2]
    longest = np.abs(path).max()
    path *= drift_px / longest if longest else 0.0
    return np.stack(
        [
            ndimage.shift(one, shift, order=3, mode="nearest") if shift.any() else one
            for one, shift in zip(slices, path, strict=True)
        ]
    )


def _brightness(n_slices: int, camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """Brightness of each slice."""
    flicker = 1 + camera.flicker * rng.standard_normal(n_slices)
    fading = 1 - camera.fading * np.linspace(0, 1, n_slices)
    return (camera.exposure * np.clip(flicker, 0.1, None) * fading).astype(np.float32)


def _window(shape_yx: Any, camera: Camera, rng: np.random.Generator) -> FloatImage:
    """Transmission that all slices share: darker corners and specks of dust."""
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape_yx)
    radius = (y[:, None] ** 2 + x[None] ** 2) / 2
    window = 1 - np.float32(camera.vignetting) * radius
    yy, xx = (np.arange(side, dtype=np.float32) for side in shape_yx)
    for _ in range(camera.n_dust):
        cy, cx = rng.uniform(0, shape_yx[0]), rng.uniform(0, shape_yx[1])
        size = rng.uniform(0.7, 4)
        far = np.hypot(yy[:, None] - cy, (xx[None] - cx) * rng.uniform(0.6, 1.6))
        speck = 1 / (1 + np.exp(np.clip((far - size) * 3, -30, 30)))
        window = window * (1 - np.float32(rng.uniform(0.1, 0.9)) * speck)
    return np.asarray(window, np.float32)


def _noisy(slices: Slices, camera: Camera, rng: np.random.Generator) -> Slices:
    if math.isfinite(camera.photons):
        expected = slices * np.float32(camera.photons)
        slices = (rng.poisson(expected) / camera.photons).astype(np.float32)
    if camera.read_noise:
        noise = rng.standard_normal(slices.shape, np.float32)
        slices = slices + np.float32(camera.read_noise) * noise
    return slices


def _heat(slices: Slices, share: float, rng: np.random.Generator) -> None:
    """Add hot pixels, in place."""
    hot = rng.random(slices.shape[1:]) < share
    slices[:, hot] += rng.uniform(0.1, 1.0, int(hot.sum())).astype(np.float32)


def _jpeg(plane: FloatImage, quality: int) -> FloatImage:
    from PIL import Image

    coded = io.BytesIO()
    Image.fromarray(np.rint(plane * 255).astype(np.uint8)).save(coded, "JPEG", quality=quality)
    with Image.open(coded) as image:
        return np.asarray(image, np.float32) * np.float32(1 / 255)
