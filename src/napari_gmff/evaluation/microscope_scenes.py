"""Fluorescence and relief scenes, made from `napari_gmff.scenes`, which training never uses."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.evaluation.scene import EvaluationScene, photographed
from napari_gmff.scenes import Scene, fluorescence_scene, relief_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 42_000_000
WHITE = 40_000.0
"""Grey level of white in the scenes."""

_HAZE_SIGMA_PX = 20
_BLOBS_PER_512 = 100
_GRAIN = 0.1
_GROUND = 0.02
"""Light of the empty ground in `fluorescence_scene`, as a fraction of white."""
_STRAY_LIGHT = 0.2
"""Most light from other planes, as a fraction of its own, that leaves a pixel one true depth."""


def fluorescence(
    number: int,
    size_px: int,
    n_slices: int = 12,
    *,
    photons: float = np.inf,
    haze: float = 0.0,
    gain: float = 1.0,
    blur_px_per_slice: float = 1.0,
) -> EvaluationScene:
    """Return bright blobs of little structure on a dark ground.

    Parameters
    ----------
    number, size_px, n_slices
        Of the scene.
    photons : float
        At white, before the gain; infinite for no noise.
    haze : float
        Light from outside the stack, as a fraction of what the objects give together.
    gain : float
        Brightness; 0.1 uses a tenth of the camera's range.
    blur_px_per_slice : float
        Sigma of the Gaussian blur for each slice of defocus.
    """
    scene = _blobs(number, size_px, n_slices, blur_px_per_slice)
    ground = _GROUND + haze * ndimage.gaussian_filter(scene.sharp / WHITE, _HAZE_SIGMA_PX)
    light = scene.stack / WHITE + (ground - _GROUND)
    rng = np.random.default_rng([SEED, number, n_slices, 1])
    return EvaluationScene(
        stack=photographed(gain * light, WHITE, np.uint16, rng, photons=photons),
        sharp=(gain * (scene.sharp + WHITE * ground)).astype(np.float32),
        depth=scene.depth_slices.astype(np.float32),
        full_scale=gain * WHITE,
        objects=_of_one_depth(scene),
        known=scene.sharp > 0,
    )


def _of_one_depth(scene: Scene) -> NDArray[np.bool_]:
    """Return the objects' pixels that get little light from other objects in front or behind."""
    in_focus = np.take_along_axis(scene.stack, scene.index[None], axis=0)[0] - _GROUND * WHITE
    return np.asarray(
        scene.textured & (np.abs(in_focus - scene.sharp) < _STRAY_LIGHT * scene.sharp)
    )


def relief(
    number: int,
    size_px: int,
    n_slices: int = 12,
    *,
    photons: float = 4000.0,
    blur_px_per_slice: float = 0.8,
) -> EvaluationScene:
    """Return a tilted textured relief with hills and a step; parameters as `fluorescence`."""
    scene = _clean_relief(number, size_px, n_slices, blur_px_per_slice)
    rng = np.random.default_rng([SEED, number, n_slices, 2])
    return EvaluationScene(
        stack=photographed(scene.stack / WHITE, WHITE, np.uint16, rng, photons=photons),
        sharp=scene.sharp.astype(np.float32),
        depth=scene.depth_slices.astype(np.float32),
        full_scale=WHITE,
        objects=scene.textured,
    )


@lru_cache(maxsize=16)
def _blobs(number: int, size_px: int, n_slices: int, blur_px_per_slice: float) -> Scene:
    return fluorescence_scene(
        size_px,
        n_slices,
        n_blobs=max(4, round(_BLOBS_PER_512 * (size_px / 512) ** 2)),
        grain=_GRAIN,
        blur_px_per_slice=blur_px_per_slice,
        seed=SEED + number,
    )


@lru_cache(maxsize=16)
def _clean_relief(number: int, size_px: int, n_slices: int, blur_px_per_slice: float) -> Scene:
    return relief_scene(
        size_px,
        n_slices,
        photons=np.inf,
        blur_px_per_slice=blur_px_per_slice,
        seed=SEED + number,
    )
