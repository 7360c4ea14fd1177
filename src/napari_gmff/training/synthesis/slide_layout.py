"""Where thin objects lie on a slide: in one plane, in a few, or on a tilted or bent surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.training.synthesis.fluorophores import tiling_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.training.synthesis.partial_coherence import Microscope
    from napari_gmff.training.synthesis.specimens import ThinPlane
    from napari_gmff.training.synthesis.synthetic_stack import FloatImage

_MOST_PLANES = 24


def faded_border(field: tuple[int, int], shape_yx: tuple[int, int]) -> FloatImage:
    """Return weights that let objects end softly outside of the view, where the field repeats."""
    ramps = []
    for have, want in zip(field, shape_yx, strict=True):
        margin = (have - want) // 2
        distance = np.minimum(np.arange(have), np.arange(have)[::-1]) + 0.5
        ramps.append(np.clip(distance / max(0.6 * margin, 0.5), 0, 1))
    y, x = (np.sin(0.5 * np.pi * ramp) ** 2 for ramp in ramps)
    return np.asarray(y[:, None] * x, np.float32)


def owner_depth(
    planes: Sequence[ThinPlane], waves: NDArray[np.complexfloating], depths: NDArray[np.float64]
) -> FloatImage:
    """Return the depth of the object that changes the light most at each pixel."""
    if len(planes) == 1:
        return np.full(planes[0].body.shape, depths[0], np.float32)
    strength = np.stack(
        [
            ndimage.uniform_filter(np.abs(wave - 1), 5) * plane.body
            for wave, plane in zip(waves, planes, strict=True)
        ]
    )
    return np.asarray(depths[strength.argmax(0)], np.float32)


def relief_depth(
    rng: np.random.Generator, shape_yx: tuple[int, int], low: float, high: float
) -> FloatImage:
    """Return a tilted, perhaps bent surface that fills the range."""
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.linspace(-0.5, 0.5, shape_yx[0])[:, None], np.linspace(-0.5, 0.5, shape_yx[1])
    lean = np.cos(turn) * x + np.sin(turn) * y
    hills = tiling_noise(rng, shape_yx, min(shape_yx) / rng.uniform(4, 10))
    surface = lean + rng.choice([0.0, 0.15, 0.6]) * hills
    surface = (surface - surface.min()) / max(float(np.ptp(surface)), 1e-6)
    return np.asarray(low + (high - low) * surface, np.float32)


def shared_by_planes(
    wave: NDArray[np.complexfloating], depth: FloatImage, microscope: Microscope
) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
    """Split a surface into planes on slices and evenly between; each pixel is shared by two."""
    low, high = np.floor(depth.min()), np.ceil(depth.max())
    # Half the light in each of two planes looks like all of it in between only if they are close.
    finest = max(1, int(_MOST_PLANES // max(high - low, 1)))
    per_slice = int(np.clip(np.ceil(microscope.waves_per_slice / 0.35), 1, finest))
    depths = low + np.arange((high - low) * per_slice + 1) / per_slice
    place = (depth - low) * per_slice
    shares = np.clip(1 - np.abs(place - np.arange(len(depths))[:, None, None]), 0, 1)
    return (1 + shares * (wave - 1)).astype(np.complex64), depths


def at_depth(
    images: NDArray[np.float32], foci: NDArray[np.float64], depth: FloatImage
) -> FloatImage:
    """Return each pixel's image at its depth, linear between foci."""
    above = np.clip(np.searchsorted(foci, depth), 1, max(len(foci) - 1, 1))
    if len(foci) == 1:
        return np.asarray(images[0])
    low, high = foci[above - 1], foci[above]
    share = np.clip((depth - low) / (high - low), 0, 1).astype(np.float32)
    below = np.take_along_axis(images, above[None] - 1, 0)[0]
    return np.asarray(below + share * (np.take_along_axis(images, above[None], 0)[0] - below))
