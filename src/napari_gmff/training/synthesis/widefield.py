"""How a wide-field microscope images layers of light, and what is true of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage

from napari_gmff.training.synthesis.checks import check_within
from napari_gmff.training.synthesis.depth_range import filled_from_nearest
from napari_gmff.training.synthesis.fluorophores import LightLayers, tiling_noise
from napari_gmff.training.synthesis.psf import (
    Defocus,
    blurred_spectrum_sum,
    cropped,
    defocus_otfs,
)
from napari_gmff.training.synthesis.synthetic_stack import (
    FloatImage,
    SyntheticStack,
    ordered_stack,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST_SHARE = 0.15
"""Least share of an object in the light of its own slice for its depth to be called known."""


@dataclass(frozen=True)
class Background:
    """Light that does not come from the objects in the stack.

    Attributes
    ----------
    offset : float
        Even light, relative to the brightest object.
    haze : float
        Uneven light from beyond the stack, relative to the brightest object; the same in every
        slice.
    haze_sigma_px : float
        Blur of what it comes from.
    """

    offset: float = 0.02
    haze: float = 0.0
    haze_sigma_px: float = 20.0

    def __post_init__(self) -> None:
        check_within("offset", self.offset, 0)
        check_within("haze", self.haze, 0)
        check_within("haze_sigma_px", self.haze_sigma_px, 1)


def widefield_stack(
    layers: LightLayers,
    n_slices: int,
    shape_yx: tuple[int, int],
    defocus: Defocus,
    background: Background,
    rng: np.random.Generator,
) -> SyntheticStack:
    """Image layers of light through a microscope.

    Parameters
    ----------
    layers : LightLayers
        On a field that is larger than the image by a margin.
    n_slices : int
        Focal planes, at depths 0 to N - 1.
    shape_yx : tuple of int
        Of the image: the middle of the field.
    defocus : Defocus
        How light spreads.
    background : Background
        Even light and haze.
    rng : numpy.random.Generator
        Draws the haze.
    """
    spectra = fft.rfft2(layers.light, workers=1)
    otfs = _Otfs(defocus, layers.shape_yx)
    field = layers.shape_yx
    slices = [
        blurred_spectrum_sum(spectra, otfs.at(layers.depths - k), field) for k in range(n_slices)
    ]
    in_focus = fft.irfft2(spectra * otfs.at(np.zeros(1)), s=field, workers=1)
    brightest = _brightness(in_focus.sum(0))
    glow = brightest * (background.offset + background.haze * _haze(layers, background, rng))
    images = np.maximum(cropped(np.stack(slices) + glow, shape_yx), 0)
    in_focus = cropped(in_focus, shape_yx)
    sharp = np.maximum(in_focus.sum(0) + cropped(glow, shape_yx), 0)
    depth, light = _brightest_depth(in_focus, layers.depths, n_slices)
    own_slice = np.take_along_axis(images, np.rint(depth).astype(np.intp)[None], 0)[0]
    known = (light > 0.08 * brightest) & (light > _SMALLEST_SHARE * own_slice)
    depth = filled_from_nearest(depth, known)
    scale = np.float32(1 / max(float(images.max()), 1e-6))
    return ordered_stack(
        images * scale, depth, sharp * scale, "fluorescence", texture=known, known=known
    )


class _Otfs:
    """OTFs by distance, each computed once."""

    def __init__(self, defocus: Defocus, shape_yx: tuple[int, int]) -> None:
        self._defocus, self._shape_yx = defocus, shape_yx
        self._known: dict[float, FloatImage] = {}

    def at(self, distances: NDArray[np.floating]) -> list[FloatImage]:
        """Return an OTF for each distance, in slices."""
        keys = [round(abs(float(distance)), 4) for distance in distances]
        new = sorted(set(keys) - self._known.keys())
        if new:
            self._known |= zip(
                new, defocus_otfs(self._defocus, np.array(new), self._shape_yx), strict=True
            )
        return [self._known[key] for key in keys]


def _brightness(image: FloatImage) -> float:
    """Return how bright the bright parts are, be they few or many."""
    return max(float(np.quantile(image[::2, ::2], 0.995)), 0.3 * float(image.max()), 1e-6)


def _haze(layers: LightLayers, background: Background, rng: np.random.Generator) -> FloatImage:
    """Return light from beyond the stack, 0 to 1: more of the same kind, far out of focus."""
    if background.haze == 0:
        return np.zeros(layers.shape_yx, np.float32)
    own = np.roll(layers.light.sum(0), rng.integers(0, 40, 2), (0, 1))
    sources = own / max(float(own.mean()), 1e-6)
    sources = sources + np.abs(tiling_noise(rng, layers.shape_yx, background.haze_sigma_px / 2))
    glow = ndimage.gaussian_filter(sources, background.haze_sigma_px, mode="wrap", truncate=2.5)
    return np.asarray(glow / max(float(glow.max()), 1e-6), np.float32)


def _brightest_depth(
    in_focus: NDArray[np.float32], depths: NDArray[np.float64], n_slices: int
) -> tuple[FloatImage, FloatImage]:
    """Return depth and light of the brightest object on each line of sight.

    An object between two layers is shared by both, so pairs of layers are compared.
    """
    if len(depths) == 1:
        return np.full(in_focus.shape[1:], depths[0], np.float32), in_focus[0]
    pairs = in_focus[:-1] + in_focus[1:]
    best = pairs.argmax(0)[None]
    light = np.take_along_axis(pairs, best, 0)[0]
    upper = np.take_along_axis(in_focus, best + 1, 0)[0]
    share = np.clip(upper / np.maximum(light, 1e-9), 0, 1)
    depth = depths[best[0]] + (depths[1] - depths[0]) * share
    return np.clip(depth, 0, n_slices - 1).astype(np.float32), light
