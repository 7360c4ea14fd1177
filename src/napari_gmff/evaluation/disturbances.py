"""What happens to stacks in life: order lost, useless slices, drift, dust, and noise after them.

Each takes a scene without noise, because noise belongs to the camera, which comes last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_gmff.evaluation.scene import DISTRACTOR, EvaluationScene, photographed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FAR_OUT_OF_FOCUS_PX = 12.0


def shuffled(scene: EvaluationScene, rng: np.random.Generator) -> EvaluationScene:
    """Put the slices into a random order."""
    return _rearranged(scene, rng.permutation(len(scene.stack)))


def with_distractors(scene: EvaluationScene, rng: np.random.Generator) -> EvaluationScene:
    """Add two slices that are nowhere sharp and copies of two slices, all at random places."""
    n_slices = len(scene.stack)
    doubled = rng.choice(n_slices, 2, replace=n_slices < 2)
    far = [
        ndimage.gaussian_filter(scene.stack[k].astype(np.float64), _FAR_OUT_OF_FOCUS_PX)
        for k in (0, -1)
    ]
    far_slices = _as_grey_levels(np.stack(far), scene.stack.dtype)
    extended = replace(
        scene,
        stack=np.concatenate([scene.stack, far_slices, scene.stack[doubled]]),
        order=(*scene.order, DISTRACTOR, DISTRACTOR, *(scene.order[k] for k in doubled)),
    )
    return _rearranged(extended, rng.permutation(len(extended.stack)))


def drifting(
    scene: EvaluationScene, rng: np.random.Generator, most_px: float = 1.0
) -> EvaluationScene:
    """Shift every slice by its own fraction of a pixel, up to `most_px` in y and x."""
    shifts = rng.uniform(-most_px, most_px, (len(scene.stack), 2))
    moved = np.stack(
        [
            ndimage.shift(plane.astype(np.float64), shift, order=3, mode="reflect")
            for plane, shift in zip(scene.stack, shifts, strict=True)
        ]
    )
    return replace(scene, stack=_as_grey_levels(moved, scene.stack.dtype))


def dusty(scene: EvaluationScene, rng: np.random.Generator) -> EvaluationScene:
    """Put dark specks and hot pixels, the same in every slice, onto the camera.

    The truth has them too: no slice is without.
    """
    shape = scene.depth.shape
    darkening, hot = _specks(shape, rng), np.zeros(shape)
    count = max(1, round(shape[0] * shape[1] / 4000))
    hot[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = rng.uniform(
        0.1, 0.6, count
    )

    def seen(plane: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(plane * darkening + scene.full_scale * hot)

    stack = np.stack([seen(plane) for plane in scene.stack])
    return replace(
        scene,
        stack=_as_grey_levels(stack, scene.stack.dtype),
        sharp=np.clip(seen(scene.sharp), 0, np.iinfo(scene.stack.dtype).max).astype(np.float32),
    )


def with_shot_noise(
    scene: EvaluationScene, photons: float, rng: np.random.Generator
) -> EvaluationScene:
    """Photograph a scene with so many photons at white."""
    white, dtype = scene.full_scale, scene.stack.dtype.type
    stack = photographed(scene.stack / white, white, dtype, rng, photons=photons)
    return replace(scene, stack=stack)


def _specks(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return what light dust lets through, (Y, X)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    through = np.ones(shape)
    for _ in range(max(1, round(shape[0] * shape[1] / 8000))):
        center, radius = rng.uniform(0, 1, 2) * shape, rng.uniform(1, 5)
        inside = np.clip(0.5 + radius - np.hypot(y - center[0], x - center[1]), 0, 1)
        through *= 1 - rng.uniform(0.1, 0.6) * inside
    return through


def _rearranged(scene: EvaluationScene, positions: NDArray[np.intp]) -> EvaluationScene:
    return replace(
        scene,
        stack=np.ascontiguousarray(scene.stack[positions]),
        order=tuple(scene.order[k] for k in positions),
    )


def _as_grey_levels(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
