"""Depth maps: hills, tilts, steps, objects, wires, outlines of a picture, or one from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from napari_gmff.errors import SourceError
from napari_gmff.training.synthesis.checks import check_count, checked_shape
from napari_gmff.training.synthesis.image_cache import read_plane
from napari_gmff.training.synthesis.noise import power_noise, smooth_field, to_unit_range

FloatImage = NDArray[np.float32]

_FLAT_SHARE = 0.15
_NARROW_SHARE = 0.25
_OUTLINE_SHARE = 0.2


def random_depth(
    rng: np.random.Generator,
    shape_yx: tuple[int, int],
    n_slices: int,
    image: FloatImage | None = None,
) -> FloatImage:
    """Draw a depth map and the range of slices that it fills.

    15 % are one plane, 25 % fill a narrow range (at most a third of the stack), the others 60 to
    100 % of the stack.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where chance comes from.
    shape_yx : tuple of int
        Each at least 1.
    n_slices : int
        At least 1.
    image : ndarray, (Y, X), float32, optional
        As for `random_surface`.

    Returns
    -------
    ndarray, (Y, X), float32
        In slices, 0 to `n_slices` - 1.

    Raises
    ------
    ParameterError
        If a parameter makes no sense.
    """
    check_count("n_slices", n_slices)
    shape_yx = checked_shape(shape_yx)
    low, high = random_range(rng, n_slices)
    if high <= low:
        return np.full(shape_yx, low, np.float32)
    depth = low + (high - low) * random_surface(rng, shape_yx, image)
    return np.asarray(np.clip(depth, low, high), np.float32)


def random_range(rng: np.random.Generator, n_slices: int) -> tuple[float, float]:
    """Draw the lowest and highest depth of a scene in slices; both are equal for one plane."""
    last = n_slices - 1
    kind = rng.random()
    if last == 0:
        return 0.0, 0.0
    if kind < _FLAT_SHARE:
        # Near a slice: halfway between two, no slice would be the true one.
        depth = np.clip(rng.integers(n_slices) + rng.uniform(-0.35, 0.35), 0, last)
        return float(depth), float(depth)
    if kind < _FLAT_SHARE + _NARROW_SHARE:
        span = min(rng.uniform(0.3, max(1.0, last / 3)), last)
    else:
        span = last * min(1.0, rng.uniform(0.6, 1.2))
    low = rng.uniform(0, last - span)
    return float(low), float(min(low + span, last))


def random_surface(
    rng: np.random.Generator, shape_yx: tuple[int, int], image: FloatImage | None = None
) -> FloatImage:
    """Draw a depth map of a random kind, or a mixture of two.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where chance comes from.
    shape_yx : tuple of int
        Each at least 1.
    image : ndarray, (Y, X), float32, optional
        The picture that the depth is for: a fifth of the maps then follow its outlines, as the
        depth of real scenes does.

    Returns
    -------
    ndarray, (Y, X), float32
        0 to 1, both of which occur unless there is only one pixel.
    """
    if image is not None and rng.random() < _OUTLINE_SHARE:
        return along_outlines(rng, image)
    relief = _one_surface(rng, shape_yx)
    mixture = rng.random()
    if mixture < 0.25:
        relief = relief + rng.uniform(0.1, 0.6) * _one_surface(rng, shape_yx)
    elif mixture < 0.35:
        # One surface in front of another, with a sharp border between them.
        border = smooth_field(rng, shape_yx, rng.uniform(0.2, 0.6) * max(shape_yx)) > 0
        relief = np.where(border, relief, _one_surface(rng, shape_yx))
    elif mixture < 0.5:
        relief = _evened(relief)
    return to_unit_range(relief)


def along_outlines(rng: np.random.Generator, image: FloatImage) -> FloatImage:
    """Draw a depth map whose steps lie on the outlines of a picture.

    The picture is cut into a few levels of grey; each connected patch gets a depth of its own,
    over a tilted ground.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where chance comes from.
    image : ndarray, (Y, X), float32
        The picture.

    Returns
    -------
    ndarray, (Y, X), float32
        0 to 1.
    """
    smooth = ndimage.median_filter(image, size=int(rng.choice([3, 5, 7])), mode="nearest")
    levels = int(rng.integers(2, 6))
    borders = np.quantile(smooth, np.sort(rng.uniform(0.1, 0.9, levels - 1)))
    grey = np.searchsorted(borders, smooth.ravel()).reshape(smooth.shape)
    depth = np.zeros(image.shape, np.float32)
    for level in range(levels):
        patches, n_patches = ndimage.label(grey == level)
        common = rng.uniform(0, 1)
        own = rng.uniform(0, 1, n_patches + 1)
        share = rng.choice([0.0, 0.3, 1.0])
        heights = ((1 - share) * common + share * own).astype(np.float32)
        depth = np.where(patches > 0, heights[patches], depth)
    ground = to_unit_range(_plane(rng, (image.shape[0], image.shape[1])))
    return to_unit_range(depth + np.float32(rng.choice([0, 0.3, 1.0])) * ground)


def read_depth(path: str | Path, *, invalid: float | None = 0.0) -> FloatImage:
    """Read a depth or disparity map from an image file, stretched to 0 to 1.

    Parameters
    ----------
    path : str or Path
        PNG or TIFF of any depth, one channel.
    invalid : float, optional
        Value that marks unknown pixels (besides NaN and infinity); they take the depth of the
        nearest known one.

    Returns
    -------
    ndarray, (Y, X), float32
        0 to 1; larger file values are larger.

    Raises
    ------
    SourceError
        If the file is not a readable image of one channel with a known depth somewhere.
    """
    plane = np.asarray(read_plane(Path(path)), np.float32)
    if plane.ndim == 3:
        plane = plane[..., 0]
    if plane.ndim != 2:
        raise SourceError(f"{path}: a depth map must be one plane, got shape {plane.shape}")
    known = np.isfinite(plane)
    if invalid is not None:
        known &= plane != invalid
    if not known.any():
        raise SourceError(f"{path}: a depth map must hold a known depth, got none")
    if not known.all():
        nearest = ndimage.distance_transform_edt(
            ~known, return_distances=False, return_indices=True
        )
        plane = plane[tuple(nearest)]
    return to_unit_range(plane)


def fitted(depth: ArrayLike, shape_yx: tuple[int, int]) -> FloatImage:
    """Return a depth map stretched to a shape without inventing depths at edges."""
    plane = np.asarray(depth, np.float32)
    if plane.shape == shape_yx:
        return plane
    picture = Image.fromarray(plane).resize(shape_yx[::-1], Image.Resampling.NEAREST)
    return np.asarray(picture, np.float32)


def _one_surface(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    kind = rng.choice(len(_KINDS), p=_SHARES)
    return to_unit_range(_KINDS[kind](rng, shape_yx))


def _evened(relief: FloatImage) -> FloatImage:
    """Make all depths equally frequent where they differ: hills are mostly of middle height."""
    values, ranks = np.unique(relief, return_inverse=True)
    if len(values) < relief.size // 2:
        return relief
    return np.asarray(ranks.reshape(relief.shape), np.float32)


def _hills(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    size_px = np.exp(rng.uniform(np.log(8), np.log(1.2 * max(*shape_yx, 8))))
    return smooth_field(rng, shape_yx, float(size_px))


def _plane(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape_yx)
    return np.asarray(np.sin(angle) * y[:, None] + np.cos(angle) * x[None, :], np.float32)


def _steps(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Terraces: a slope or hills cut into a few levels."""
    ground = _hills if rng.random() < 0.5 else _plane
    levels = int(rng.integers(2, 8))
    terraces = np.floor(to_unit_range(ground(rng, shape_yx)) * levels).clip(0, levels - 1)
    if rng.random() < 0.5:
        # Levels need not lie in order nor evenly.
        return rng.random(levels, np.float32)[terraces.astype(np.intp)]
    return terraces


def _objects(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Bodies with sharp edges, each at a depth of its own, over a plane or hills."""
    ground = (_plane, _hills)[rng.integers(2)](rng, shape_yx)
    canvas = Image.fromarray(to_unit_range(ground) * np.float32(rng.choice([0, 0.15, 0.5])))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(1, 16))):
        draw_body(draw, rng, shape_yx, float(rng.uniform(0.1, 1)))
    depth = np.array(canvas, np.float32)
    if rng.random() < 0.3:
        depth += 0.1 * smooth_field(rng, shape_yx, 0.3 * max(shape_yx))
    return 1 - depth if rng.random() < 0.3 else depth


def draw_body(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, shape_yx: tuple[int, int], depth: float
) -> None:
    """Draw an ellipse (turned as it comes), a polygon or a lumpy blob."""
    radius = rng.uniform(0.04, 0.3) * max(shape_yx)
    corners = int(rng.choice([3, 4, 5, 40, 40]))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
    lumps = sum(
        rng.normal(0, 0.15 / wave) * np.sin(wave * angles + rng.uniform(0, 6)) for wave in (2, 3, 5)
    )
    turn, flatness = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
    along, across = np.cos(angles), flatness * np.sin(angles)
    x = np.cos(turn) * along - np.sin(turn) * across
    y = np.sin(turn) * along + np.cos(turn) * across
    middle = rng.uniform(0, 1, 2) * shape_yx
    outline = middle[::-1] + radius * ((1 + lumps) * np.stack([x, y])).T
    draw.polygon([(x, y) for x, y in outline.tolist()], fill=depth)


def _wires(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Thin bent wires, each at a depth of its own, in front of a plane or hills."""
    ground = (_plane, _hills)[rng.integers(2)](rng, shape_yx)
    canvas = Image.fromarray(to_unit_range(ground) * np.float32(rng.choice([0, 0.15, 0.5])))
    draw = ImageDraw.Draw(canvas)
    bend = rng.uniform(0, 0.5)
    for _ in range(int(rng.integers(2, 20))):
        turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, 12))
        steps = rng.uniform(0.03, 0.12) * max(shape_yx) * np.stack([np.cos(turns), np.sin(turns)])
        places = rng.uniform(0, 1, 2) * shape_yx[::-1] + np.cumsum(steps.T, axis=0)
        width_px = round(float(np.exp(rng.uniform(np.log(1), np.log(9)))))
        points = [(x, y) for x, y in places.tolist()]
        draw.line(points, fill=float(rng.uniform(0.1, 1)), width=width_px, joint="curve")
    depth = np.array(canvas, np.float32)
    return 1 - depth if rng.random() < 0.3 else depth


def _rough(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    return power_noise(rng, shape_yx, rng.uniform(1.4, 2.2))


_KINDS: tuple[Callable[[np.random.Generator, tuple[int, int]], FloatImage], ...]
_KINDS = (_hills, _plane, _steps, _objects, _wires, _rough)
_SHARES = (0.3, 0.15, 0.14, 0.23, 0.1, 0.08)
