"""Layered scenes through a lens of finite aperture: a defocused edge veils what is behind it.

Each point of the aperture sees the scene from a slightly different side, with its planes shifted
against each other and hiding one another; a slice is the mean over the aperture. Blurring planes
and their masks one by one instead would let background bleed around focused objects, or let two
half-transparent blurred masks add up wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.aperture import REACH_PX, Plane, seen_in_focus, seen_through
from napari_gmff.training.synthesis.blur import inner_view, random_blur_rate
from napari_gmff.training.synthesis.checks import (
    check_count,
    check_within,
    checked_image,
    checked_shape,
    view_shape,
)
from napari_gmff.training.synthesis.depths import draw_body, random_range
from napari_gmff.training.synthesis.noise import smooth_field
from napari_gmff.training.synthesis.synthetic_stack import SyntheticStack, ordered_stack

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.images import ImageSource

FloatImage = NDArray[np.float32]

_LARGEST_RADIUS_PX = 24.0


def thin_lens_stack(
    brightness: Sequence[ArrayLike],
    opacity: Sequence[ArrayLike],
    depths: Sequence[float],
    n_slices: int,
    blur_px_per_slice: float,
    *,
    n_samples: int = 24,
    margin_px: int = 0,
    rng: np.random.Generator | None = None,
) -> SyntheticStack:
    """Render planes behind one another through a lens, with true occlusion.

    Parameters
    ----------
    brightness : sequence of array_like, each (Y + 2 margin, X + 2 margin)
        Light of each plane, 0 to 1, from the farthest to the nearest.
    opacity : sequence of array_like, of the same shape
        0 (nothing there) to 1 (hides what is behind). That of the farthest plane is taken as 1.
    depths : sequence of float
        Of each plane in slices, 0 to `n_slices` - 1, rising or falling.
    n_slices : int
        At least 1.
    blur_px_per_slice : float
        Radius of the circle of confusion that each slice of defocus adds.
    n_samples : int
        Points of the aperture; gaps between them are filled by a blur of their distance.
    margin_px : int
        Border of the planes that is not part of the view.
    rng : numpy.random.Generator, optional
        Turns the points anew for every slice.

    Returns
    -------
    SyntheticStack
        (N, Y, X). The truth is that of the plane seen from the middle of the aperture.

    Raises
    ------
    ParameterError
        If a parameter makes no sense or shapes do not fit.
    """
    check_count("n_slices", n_slices)
    check_count("n_samples", n_samples)
    check_within("blur_px_per_slice", blur_px_per_slice, 0)
    places = _checked_depths(depths, len(brightness), len(opacity), n_slices)
    first = checked_image("brightness[0]", brightness[0])
    shape_yx = view_shape(first.shape, margin_px)
    farthest = max(places.max(), n_slices - 1 - places.min())
    border_px = int(np.ceil(blur_px_per_slice * farthest)) + REACH_PX
    planes = []
    for number, (light, mask) in enumerate(zip(brightness, opacity, strict=True)):
        lit = checked_image(f"brightness[{number}]", light, (first.shape[0], first.shape[1]))
        alpha = checked_image(f"opacity[{number}]", mask, (first.shape[0], first.shape[1]))
        planes.append(Plane(lit, alpha if number else None, border_px - margin_px, shape_yx))
    stack = np.stack([
        seen_through(planes, (places - k) * blur_px_per_slice, n_samples, _turn(rng, k))
        for k in range(n_slices)
    ])  # fmt: skip
    view = inner_view(shape_yx, border_px)
    sharp, depth = seen_in_focus(planes, places, view)
    return ordered_stack(np.maximum(stack, 0, out=stack), depth, sharp, "thin lens")


def random_thin_lens(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: ImageSource
) -> SyntheticStack:
    """Draw 2 to 8 textured planes with holes, and a lens; see `thin_lens_stack`.

    Parameters and errors: `napari_gmff.training.synthesis.mixture.random_scene`.
    """
    check_count("n_slices", n_slices)
    shape_yx = checked_shape(shape_yx)
    low, high = random_range(rng, n_slices)
    # A plane is flat: only what has a range has several.
    n_planes = int(rng.choice((2, 3, 4, 5, 6, 8), p=(0.25, 0.25, 0.2, 0.15, 0.1, 0.05)))
    depths = np.sort(rng.uniform(low, high, n_planes))
    depths[[0, -1]] = low, high
    if rng.random() < 0.5:
        depths = depths[::-1]
    # The radius of a disk is twice its standard deviation.
    rate = min(2 * random_blur_rate(rng), _LARGEST_RADIUS_PX / max(n_slices - 1, 1))
    farthest = max(high, n_slices - 1 - low)
    margin_px = int(np.ceil(rate * farthest)) + REACH_PX
    whole_yx = (shape_yx[0] + 2 * margin_px, shape_yx[1] + 2 * margin_px)
    return thin_lens_stack(
        [_random_light(rng, whole_yx, images) for _ in range(n_planes)],
        [_random_opacity(rng, whole_yx) for _ in range(n_planes)],
        [float(depth) for depth in depths],
        n_slices,
        rate,
        margin_px=margin_px,
        rng=rng,
    )


def _turn(rng: np.random.Generator | None, number: int) -> float:
    return 2.4 * number if rng is None else float(rng.uniform(0, 2 * np.pi))


def _checked_depths(
    depths: Sequence[float], n_brightness: int, n_opacity: int, n_slices: int
) -> NDArray[np.float64]:
    places = np.asarray(depths, np.float64)
    if not (len(places) == n_brightness == n_opacity >= 1):
        raise ParameterError(
            "brightness, opacity and depths must have the same number of planes, at least 1, "
            f"got {n_brightness}, {n_opacity} and {len(places)}"
        )
    for number, place in enumerate(places):
        check_within(f"depths[{number}]", float(place), 0, n_slices - 1)
    steps = np.diff(places)
    if (steps > 0).any() and (steps < 0).any():
        raise ParameterError(f"depths must rise or fall, got {list(depths)}")
    return places


def _random_light(
    rng: np.random.Generator, shape_yx: tuple[int, int], images: ImageSource
) -> FloatImage:
    """Draw a texture of its own brightness, so that planes differ."""
    texture = images.crop(rng, shape_yx)
    brightness = np.float32(rng.uniform(0.4, 1.4))
    return np.asarray(np.minimum(texture * brightness, 1))


def _random_opacity(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Draw bodies, a net of threads, or a sheet with holes; at times not quite opaque."""
    kind = rng.random()
    if kind < 0.25:
        field = smooth_field(rng, shape_yx, rng.uniform(6, 50))
        covered = np.clip(0.5 + 4 * (field - rng.uniform(-0.3, 1.2)), 0, 1)
    else:
        covered = _drawn(rng, shape_yx, _draw_threads if kind < 0.5 else _draw_bodies)
    density = 1.0 if rng.random() < 0.8 else rng.uniform(0.6, 1)
    return np.asarray(covered * np.float32(density), np.float32)


def _drawn(
    rng: np.random.Generator,
    shape_yx: tuple[int, int],
    draw: Callable[[ImageDraw.ImageDraw, np.random.Generator, tuple[int, int]], None],
) -> FloatImage:
    """Draw white on black at twice the size and average down: smooth edges."""
    canvas = Image.new("L", (2 * shape_yx[1], 2 * shape_yx[0]))
    draw(ImageDraw.Draw(canvas), rng, (2 * shape_yx[0], 2 * shape_yx[1]))
    return np.asarray(canvas.reduce(2), np.float32) / np.float32(255)


def _draw_bodies(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, size_yx: tuple[int, int]
) -> None:
    for _ in range(int(rng.integers(1, 10))):
        draw_body(draw, rng, size_yx, 255)


def _draw_threads(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, size_yx: tuple[int, int]
) -> None:
    width = rng.uniform(3, 16)
    for _ in range(int(rng.integers(2, 16))):
        heading = np.cumsum(rng.normal(0, 0.15, 24)) + rng.uniform(0, 2 * np.pi)
        steps = max(size_yx) / 14 * np.stack([np.cos(heading), np.sin(heading)], -1)
        points = rng.uniform(-0.2, 1.2, 2) * size_yx[::-1] + np.cumsum(steps, 0)
        thickness = max(1, round(width * rng.uniform(0.5, 1.5)))
        draw.line([(x, y) for x, y in points.tolist()], 255, thickness, "curve")
