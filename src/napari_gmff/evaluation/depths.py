"""Depth maps for the scenes made from photographs, independent of those used in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

DepthMap = NDArray[np.float32]


def hills(shape_yx: tuple[int, int], rng: np.random.Generator) -> DepthMap:
    """Smooth hills; 0 to 1."""
    size_px = max(shape_yx) / rng.uniform(5, 10)
    return _unit(ndimage.gaussian_filter(rng.standard_normal(shape_yx), size_px, mode="wrap"))


def tilted(shape_yx: tuple[int, int], rng: np.random.Generator) -> DepthMap:
    """Plane of a random direction with low hills on it; 0 to 1."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (axis / max(shape_yx) for axis in np.mgrid[: shape_yx[0], : shape_yx[1]])
    plane = np.cos(angle) * x + np.sin(angle) * y
    return _unit(plane + 0.25 * hills(shape_yx, rng))


def cut_outs(shape_yx: tuple[int, int], rng: np.random.Generator) -> DepthMap:
    """Ellipses and boxes in front of a tilted plane, with sharp edges; 0 to 1."""
    depth = 0.4 + 0.6 * tilted(shape_yx, rng)
    y, x = np.mgrid[: shape_yx[0], : shape_yx[1]]
    for level in np.sort(rng.uniform(0, 0.9, 12))[::-1]:  # from far to near
        center = rng.uniform(0, 1, 2) * shape_yx
        half = rng.uniform(0.05, 0.2, 2) * max(shape_yx)
        angle = rng.uniform(0, np.pi)
        along = (y - center[0]) * np.cos(angle) + (x - center[1]) * np.sin(angle)
        across = (x - center[1]) * np.cos(angle) - (y - center[0]) * np.sin(angle)
        power = rng.choice([2.0, 8.0])
        inside = np.abs(along / half[0]) ** power + np.abs(across / half[1]) ** power < 1
        depth[inside] = level
    return _unit(depth)


def terraces(shape_yx: tuple[int, int], rng: np.random.Generator) -> DepthMap:
    """Hills cut into four to eight level steps; 0 to 1."""
    steps = int(rng.integers(4, 9))
    return _unit(np.floor(hills(shape_yx, rng) * (steps - 1e-3)))


KINDS = (hills, cut_outs, tilted, terraces)


def depth_map(number: int, shape_yx: tuple[int, int], rng: np.random.Generator) -> DepthMap:
    """Return the depth map of a scene: the kinds take turns.

    Returns
    -------
    ndarray, (Y, X), float32
        0 to 1.
    """
    return KINDS[number % len(KINDS)](shape_yx, rng)


def filled(disparity: NDArray[np.floating]) -> DepthMap:
    """Turn a disparity map with gaps (not finite) into depth from 0 to 1.

    Gaps take the nearest known value.
    """
    gaps = ~np.isfinite(disparity)
    nearest = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    return _unit(disparity[tuple(nearest)])


def _unit(values: NDArray[np.floating]) -> DepthMap:
    low, high = float(values.min()), float(values.max())
    return ((values - low) / (high - low if high > low else 1.0)).astype(np.float32)
