"""What the points of an aperture see of planes behind one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatImage = NDArray[np.float32]

REACH_PX = 3
"""Pixels that interpolation and rounding look at beyond a shift."""

_PHASES = 4
"""Small shifts are rounded to this fraction of a pixel."""

_FINE_PX = 2.5
"""Circles of confusion up to this radius are sampled at fractions of a pixel."""

_SIGMA_RATIO = 1.4
"""Steps of the blur that fills gaps in the aperture: every step is kept for reuse."""


class Plane:
    """A plane that can be looked at from the side, with fractions of a pixel kept for reuse.

    Parameters
    ----------
    light, alpha : ndarray
        `alpha` is None for the farthest plane, which hides all that might be behind it.
    missing_px : int
        What the border lacks of what shifts need; light is mirrored there.
    shape_yx : tuple of int
        Of the view.
    """

    def __init__(
        self,
        light: FloatImage,
        alpha: FloatImage | None,
        missing_px: int,
        shape_yx: tuple[int, int],
    ) -> None:
        premultiplied = light if alpha is None else light * np.clip(alpha, 0, 1)
        self.light = _with_border(premultiplied, missing_px)
        self.passing = None if alpha is None else _with_border(1 - np.clip(alpha, 0, 1), missing_px)
        self._shape_yx = shape_yx
        self._kept: dict[tuple[float, int, int], tuple[FloatImage, FloatImage | None]] = {}

    def shifted(
        self, sigma_px: float, steps_yx: Sequence[int]
    ) -> tuple[FloatImage, FloatImage | None]:
        """Return light and the share of light let pass, blurred and shifted, (Y, X) each.

        A step is a pixel in a blurred plane, else a fraction of one.
        """
        parts = _parts(sigma_px)
        (down, phase_y), (right, phase_x) = (divmod(step, parts) for step in steps_yx)
        light, passing = self._prepared(sigma_px, phase_y, phase_x)
        border_y, border_x = (
            (side - seen) // 2 for side, seen in zip(light.shape, self._shape_yx, strict=True)
        )
        view = (
            slice(border_y + down, border_y + down + self._shape_yx[0]),
            slice(border_x + right, border_x + right + self._shape_yx[1]),
        )
        return light[view], None if passing is None else passing[view]

    def _prepared(
        self, sigma_px: float, phase_y: int, phase_x: int
    ) -> tuple[FloatImage, FloatImage | None]:
        key = (sigma_px, phase_y, phase_x)
        if key not in self._kept:
            light, passing = self.light, self.passing
            if phase_x:
                # Move along y first, which the phases of a row share.
                light, passing = self._prepared(sigma_px, phase_y, 0)
            axis, phase = (1, phase_x) if phase_x else (0, phase_y)
            light = _prepared(light, sigma_px, axis, phase)
            if passing is not None:
                passing = np.clip(_prepared(passing, sigma_px, axis, phase), 0, 1)
            self._kept[key] = (light, passing)
        return self._kept[key]


def seen_through(
    planes: Sequence[Plane], radii_px: NDArray[np.float64], n_samples: int, turn_rad: float
) -> FloatImage:
    """Return the mean over the aperture.

    Parameters
    ----------
    planes : sequence of Plane
        From the farthest to the nearest.
    radii_px : ndarray, (planes,)
        Circle of confusion of each plane; its sign tells on which side of focus the plane is.
    n_samples : int
        Points of the aperture.
    turn_rad : float
        Angle by which their pattern is turned.

    Returns
    -------
    ndarray, (Y, X), float32
    """
    sigmas = [_gap_sigma(abs(radius), n_samples) for radius in radii_px]
    # Gaps are filled by a blur of their own: points spread that much less.
    reach = [
        radius * _parts(sigma) * np.sqrt(1 - min(0.75, (2 * sigma / radius) ** 2) if sigma else 1)
        for radius, sigma in zip(radii_px, sigmas, strict=True)
    ]
    points = _aperture(n_samples, turn_rad)
    steps = np.rint(points[:, None, :] * np.array(reach)[None, :, None]).astype(np.intp)
    # Little defocus makes many points see the same.
    steps, counts = np.unique(steps, axis=0, return_counts=True)
    total: FloatImage | None = None
    for moves, count in zip(steps.tolist(), counts.tolist(), strict=True):
        view = _over(
            plane.shifted(sigma, move)
            for plane, sigma, move in zip(planes, sigmas, moves, strict=True)
        )
        view *= np.float32(count / n_samples)
        total = view if total is None else np.add(total, view, out=total)
    assert total is not None
    return total


def seen_in_focus(
    planes: Sequence[Plane], depths: NDArray[np.float64], view: tuple[slice, slice]
) -> tuple[FloatImage, FloatImage]:
    """Return what the middle of the aperture sees in focus, and the depth of the plane seen."""
    sharp = planes[0].light[view].copy()
    depth = np.full(sharp.shape, depths[0], np.float32)
    for plane, place in zip(planes[1:], depths[1:], strict=True):
        assert plane.passing is not None
        passing = plane.passing[view]
        sharp = sharp * passing + plane.light[view]
        depth[passing < 0.5] = place
    return sharp, depth


def _over(views: Iterable[tuple[FloatImage, FloatImage | None]]) -> FloatImage:
    """Return light from the farthest to the nearest plane, each hiding what is behind it."""
    (farthest, _), *nearer = views
    seen = farthest.copy()
    for light, passing in nearer:
        if passing is not None:
            seen *= passing
        seen += light
    return seen


def _aperture(n_samples: int, turn_rad: float) -> NDArray[np.float64]:
    """Return points (y, x) spread evenly over the unit disk like a sunflower's seeds."""
    if n_samples == 1:
        return np.zeros((1, 2))
    number = np.arange(n_samples)
    radius = np.sqrt((number + 0.5) / n_samples)
    angle = turn_rad + number * (np.pi * (3 - np.sqrt(5)))
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], -1)
    # A defocused image must not move.
    return np.asarray(points - points.mean(0))


def _parts(sigma_px: float) -> int:
    """Return the steps of a shift per pixel: what has been blurred does not need fractions."""
    return 1 if sigma_px > 0 else _PHASES


def _gap_sigma(radius_px: float, n_samples: int) -> float:
    """Return the blur that fills the gaps between points, one of a few values; 0 if none is."""
    if radius_px <= _FINE_PX or n_samples == 1:
        return 0.0
    wanted = 0.7 * radius_px / np.sqrt(n_samples)
    return float(_SIGMA_RATIO ** np.rint(np.log(wanted) / np.log(_SIGMA_RATIO)))


def _prepared(image: FloatImage, sigma_px: float, axis: int, phase: int) -> FloatImage:
    """Return the image blurred, or moved by a fraction of a pixel along an axis."""
    if sigma_px > 0:
        return np.asarray(ndimage.gaussian_filter(image, sigma_px))
    return image if phase == 0 else _between(image, axis, phase / _PHASES)


def _between(image: FloatImage, axis: int, fraction: float) -> FloatImage:
    """Interpolate between pixels, except at the very border."""
    pixels = np.moveaxis(image, axis, 0)
    result = image.copy()
    # The second of the four taps is the pixel itself.
    taps = _cubic_taps(fraction).astype(np.float32)
    length = len(pixels) - 3
    inner = sum(tap * pixels[start : start + length] for start, tap in enumerate(taps))
    np.moveaxis(result, axis, 0)[1:-2] = inner
    return result


def _cubic_taps(fraction: float) -> NDArray[np.float64]:
    """Return Catmull and Rom's weights for a place between the second and third of four pixels."""
    f = fraction
    return 0.5 * np.array([
        -f + 2 * f**2 - f**3, 2 - 5 * f**2 + 3 * f**3, f + 4 * f**2 - 3 * f**3, -(f**2) + f**3
    ])  # fmt: skip


def _with_border(image: FloatImage, missing_px: int) -> FloatImage:
    if missing_px < 0:
        return np.ascontiguousarray(image[-missing_px:missing_px, -missing_px:missing_px])
    return np.pad(image, missing_px, mode="symmetric")
