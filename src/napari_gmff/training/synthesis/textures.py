"""Drawn textures: sharp images made of nothing but chance, where there are no photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from napari_gmff.training.synthesis.noise import (
    band_noise,
    power_noise,
    smooth_field,
    to_unit_range,
)

FloatImage = NDArray[np.float32]
Draw = Callable[[ImageDraw.ImageDraw, np.random.Generator, tuple[int, int]], None]

_SUPERSAMPLING = 2
"""Shapes are drawn this much larger and averaged down, so that edges are smooth."""


def random_texture(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Draw a texture of a random kind, or a patchwork of two.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where chance comes from.
    shape_yx : tuple of int
        Each at least 1.

    Returns
    -------
    ndarray, (Y, X), float32
        0 to 1.
    """
    texture = _one_texture(rng, shape_yx)
    if rng.random() < 0.35:
        share = _soft_mask(rng, shape_yx)
        texture += share * (_one_texture(rng, shape_yx) - texture)
    return _random_tone(rng, texture)


def _one_texture(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    return _KINDS[rng.integers(len(_KINDS))](rng, shape_yx)


def _fractal(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    return _squeezed(power_noise(rng, shape_yx, rng.uniform(0.4, 1.6)))


def _grain(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Spots of one or two sizes, at times nearly black and white."""
    noise = band_noise(rng, shape_yx, _log_uniform(rng, 1.2, 10), rng.uniform(0.2, 0.8))
    if rng.random() < 0.5:
        noise += rng.uniform(0.3, 1) * band_noise(rng, shape_yx, _log_uniform(rng, 1.2, 10))
    return _squeezed(noise * _log_uniform(rng, 0.7, 4))


def _stripes(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Stripes or a checker board, warped a little, soft to hard."""
    y, x = _coordinates(shape_yx)
    angle, period = rng.uniform(0, np.pi), _log_uniform(rng, 4, 40)
    bend = rng.uniform(0, 0.5) * period * smooth_field(rng, shape_yx, rng.uniform(15, 60))
    along, across = (
        np.sin(2 * np.pi / period * (np.cos(turn) * x + np.sin(turn) * y + bend))
        for turn in (angle, angle + np.pi / 2)
    )
    wave = along * across if rng.random() < 0.5 else along
    return _squeezed(wave * np.float32(_log_uniform(rng, 1, 20)))


def _cells(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Cells that touch: grey by cell, darker or brighter at the walls."""
    from scipy.spatial import cKDTree

    y, x = _coordinates(shape_yx)
    diameter = _log_uniform(rng, 8, 50)
    count = max(3, int(shape_yx[0] * shape_yx[1] / diameter**2))
    centres = rng.uniform(-0.1, 1.1, (count, 2)) * shape_yx
    warp = 0.15 * diameter * smooth_field(rng, shape_yx, diameter / 2)
    places = np.stack([y + warp, x - warp], -1).reshape(-1, 2)
    distances, nearest = cKDTree(centres).query(places, k=2)
    wall = (distances[:, 1] - distances[:, 0]).reshape(shape_yx).astype(np.float32)
    tone = rng.uniform(0.3, 0.7, count)[nearest[:, 0]].reshape(shape_yx).astype(np.float32)
    depth = np.float32(rng.choice([-1, 1]) * rng.uniform(0.15, 0.4))
    grain = 0.06 * band_noise(rng, shape_yx, _log_uniform(rng, 1.2, 5))
    walls = depth * np.exp(-wall / rng.uniform(0.8, 3))
    return np.asarray(np.clip(tone + walls + grain, 0, 1), np.float32)


def _leaves(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Shapes of all sizes that hide one another: the statistics of photographs."""
    picture = _drawn(rng, shape_yx, _draw_leaves, int(rng.integers(90, 160)))
    grain = band_noise(rng, shape_yx, _log_uniform(rng, 1.2, 5))
    return np.clip(picture + rng.uniform(0, 0.12) * grain, 0, 1)


def _round_things(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Bodies like blood cells, beads or nuclei on an even ground."""
    ground, body = (rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.5))[:: rng.choice([-1, 1])]
    mean_radius = _log_uniform(rng, 2, 20)
    count = int(np.clip(shape_yx[0] * shape_yx[1] / (6 * mean_radius**2), 4, 220))

    def draw(canvas: ImageDraw.ImageDraw, rng: np.random.Generator, size: tuple[int, int]) -> None:
        middle = ground + 0.6 * (body - ground) if rng.random() < 0.5 else body
        for y, x in rng.uniform(-0.05, 1.05, (count, 2)) * size:
            radius = mean_radius * _SUPERSAMPLING * rng.uniform(0.7, 1.4)
            tone = body + rng.uniform(-0.06, 0.06)
            _draw_ellipse(canvas, (y, x), radius, tone)
            _draw_ellipse(canvas, (y, x), radius * 0.55, tone + middle - body)

    picture = _drawn(rng, shape_yx, draw, int(255 * ground))
    grain = band_noise(rng, shape_yx, _log_uniform(rng, 1.2, 4))
    strength = rng.uniform(0, 0.15) * (np.abs(picture - ground) + 0.1 * rng.random())
    return np.asarray(np.clip(picture + strength * grain, 0, 1), np.float32)


def _filaments(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Curved lines, thin to thick, that cross."""
    dark = rng.random() < 0.5
    count = int(rng.integers(8, 60))
    width = _log_uniform(rng, 0.8, 4) * _SUPERSAMPLING

    def draw(canvas: ImageDraw.ImageDraw, rng: np.random.Generator, size: tuple[int, int]) -> None:
        for _ in range(count):
            turns = np.cumsum(rng.normal(0, 0.25, 24)) + rng.uniform(0, 2 * np.pi)
            steps = max(size) / 16 * np.stack([np.cos(turns), np.sin(turns)], -1)
            points = rng.uniform(-0.1, 1.1, 2) * size[::-1] + np.cumsum(steps, 0)
            tone = int(255 * (rng.uniform(0, 0.35) if dark else rng.uniform(0.6, 1)))
            thickness = max(1, round(width * rng.uniform(0.6, 1.5)))
            canvas.line([(x, y) for x, y in points.tolist()], tone, thickness, "curve")

    picture = _drawn(rng, shape_yx, draw, 190 if dark else 40)
    return np.clip(picture + 0.02 * power_noise(rng, shape_yx, 1), 0, 1)


def _scratches(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Ground metal: grain and straight scratches, most of them along one direction."""
    direction = rng.uniform(0, np.pi)
    spread = rng.choice([0.03, 0.3, 2.0])
    count = int(rng.integers(20, 150))

    def draw(canvas: ImageDraw.ImageDraw, rng: np.random.Generator, size: tuple[int, int]) -> None:
        for _ in range(count):
            angle, length = direction + rng.normal(0, spread), rng.uniform(0.05, 0.8) * max(size)
            x, y = rng.uniform(-0.1, 1.1, 2) * size[::-1]
            end = (x + length * np.cos(angle), y + length * np.sin(angle))
            canvas.line([(x, y), end], int(rng.uniform(40, 230)), int(rng.integers(1, 4)))

    picture = _drawn(rng, shape_yx, draw, 128)
    return np.clip(picture + 0.07 * band_noise(rng, shape_yx, _log_uniform(rng, 1.2, 3)), 0, 1)


def _writing(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Rows of short strokes and arcs, like print."""
    letter = _log_uniform(rng, 5, 18) * _SUPERSAMPLING
    ink, paper = (rng.uniform(10, 90), rng.uniform(160, 250))[:: rng.choice([-1, 1])]

    def draw(canvas: ImageDraw.ImageDraw, rng: np.random.Generator, size: tuple[int, int]) -> None:
        width = max(1, round(letter / rng.uniform(5, 10)))
        for top in np.arange(0, size[0], 1.6 * letter):
            for left in np.arange(0, size[1], 0.8 * letter):
                if rng.random() < 0.15:
                    continue
                box = (left, top, left + 0.6 * letter, top + letter)
                start = rng.uniform(0, 360)
                canvas.arc(box, start, start + rng.uniform(90, 330), int(ink), width)
                ends = rng.uniform(0, 1, (2, 2)) * (0.6 * letter, letter) + (left, top)
                canvas.line([(x, y) for x, y in ends.tolist()], int(ink), width)

    return _drawn(rng, shape_yx, draw, int(paper))


_KINDS = (
    _fractal,
    _grain,
    _stripes,
    _cells,
    _leaves,
    _leaves,
    _round_things,
    _filaments,
    _scratches,
    _writing,
)


def _drawn(
    rng: np.random.Generator, shape_yx: tuple[int, int], draw: Draw, ground: int
) -> FloatImage:
    """Draw on a canvas larger than the image and average it down."""
    size_yx = (shape_yx[0] * _SUPERSAMPLING, shape_yx[1] * _SUPERSAMPLING)
    canvas = Image.new("L", size_yx[::-1], ground)
    draw(ImageDraw.Draw(canvas), rng, size_yx)
    return np.asarray(canvas.reduce(_SUPERSAMPLING), np.float32) / np.float32(255)


def _draw_leaves(
    canvas: ImageDraw.ImageDraw, rng: np.random.Generator, size_yx: tuple[int, int]
) -> None:
    largest = np.log(max(0.3 * max(size_yx), 8))
    radii = np.exp(rng.uniform(np.log(4), largest, int(rng.integers(60, 220))))
    # The largest first: they would hide all others.
    for radius in np.sort(radii)[::-1]:
        centre = rng.uniform(-0.1, 1.1, 2) * size_yx
        tone = rng.uniform(0.05, 0.95)
        if rng.random() < 0.5:
            _draw_ellipse(canvas, (centre[0], centre[1]), radius, tone, rng.uniform(0.5, 1))
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
            corners = centre + radius * np.stack([np.sin(angles), np.cos(angles)], -1)
            canvas.polygon([(x, y) for y, x in corners.tolist()], int(255 * tone))


def _draw_ellipse(
    canvas: ImageDraw.ImageDraw,
    centre_yx: tuple[float, float],
    radius: float,
    tone: float,
    flatness: float = 1.0,
) -> None:
    y, x = centre_yx
    box = (x - radius, y - radius * flatness, x + radius, y + radius * flatness)
    canvas.ellipse(box, int(np.clip(255 * tone, 0, 255)))


def _soft_mask(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    """Return 0 and 1 in large patches with borders a few pixels wide."""
    field = smooth_field(rng, shape_yx, rng.uniform(15, 60))
    steepness = np.float32(_log_uniform(rng, 1, 20))
    return np.asarray(np.clip(0.5 + field * steepness, 0, 1), np.float32)


def _random_tone(rng: np.random.Generator, texture: FloatImage) -> FloatImage:
    """Stretch, then choose contrast, brightness and sign; blur by less than a pixel at times."""
    if rng.random() < 0.4:
        texture = ndimage.gaussian_filter(texture, rng.uniform(0.3, 0.8))
    unit = to_unit_range(texture)
    contrast = rng.uniform(0.25, 1.0)
    bottom = rng.uniform(0, 1 - contrast)
    if rng.random() < 0.5:
        unit = 1 - unit
    return np.asarray(np.clip(bottom + contrast * unit, 0, 1), np.float32)


def _squeezed(field: FloatImage) -> FloatImage:
    """Map noise softly to 0 to 1."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.6 * field), np.float32)


def _coordinates(shape_yx: tuple[int, int]) -> tuple[FloatImage, FloatImage]:
    y, x = np.indices(shape_yx, np.float32)
    return y, x


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
