"""How much each slice is blurred, measured against the fused image.

In each cell the fused image is blurred until it resembles the slice most. Where no slice is in
focus, the fused image is blurred itself; how much follows from the law of defocus: sigma squared
grows with the square of the distance from focus, equally fast everywhere in a stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.restoration.consistency.blur_ladder import REACH_PX, RUNG_VARIANCES, BlurLadder
from napari_gmff.restoration.consistency.cells import (
    CELL_PX,
    at_pixels,
    cell_means,
    filled,
    n_cells,
    smoothed,
)
from napari_gmff.restoration.consistency.defocus import remaining_blur
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from numpy.typing import NDArray

    ReadPart = Callable[[int, Box], NDArray[np.float32]]

WINDOW_PX = 512
"""Side of the parts that are worked on; a multiple of a cell."""

HALO_PX = 2 * REACH_PX + 2 * CELL_PX
"""Around a window: two blurs one after the other, and the smoothing of what they leave."""

_LEAST_CONTRAST = 4.0
"""Texture, in units of the noise's variance, from which on a blur can be measured."""

NEAR_FOCUS_PX2 = 4.0
"""Slices that are blurred by that much more than the best one say nothing that it does not."""


@dataclass(frozen=True)
class BlurMap:
    """Blur of the slices in a part of the fused image.

    Attributes
    ----------
    variance_px2 : ndarray, (n_slices, ny, nx), float64
        Sigma squared in px² that turns the fused image into the slice, by cell.
    remaining_px2 : ndarray, (ny, nx), float64
        Sigma squared in px² that is left in the fused image itself; 0 where slices have no order.
    unexplained : ndarray, (n_slices, ny, nx), float64
        Variance in grey levels squared that a slice has beside the blurred fused image: its noise,
        and what is no blur, such as shifts, parallax and light from other planes. Never 0.
    """

    variance_px2: NDArray[np.float64]
    remaining_px2: NDArray[np.float64]
    unexplained: NDArray[np.float64]

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return len(self.variance_px2)

    def of_slice(self, position: int, box: Box) -> NDArray[np.float32]:
        """Return the blur (sigma squared, px²) of a slice at the pixels of a box."""
        return at_pixels(self.variance_px2[position], box)

    def remaining(self, box: Box) -> NDArray[np.float32]:
        """Return the blur (sigma squared, px²) of the fused image at the pixels of a box."""
        return at_pixels(self.remaining_px2, box)

    def share(self, position: int, box: Box) -> NDArray[np.float32] | None:
        """Return how much a slice says at the pixels of a box, None for nothing.

        Returns
        -------
        ndarray, (h, w), float32
            Shares of all slices add up to 1 at each pixel.
        """
        pixels = at_pixels(self._shares[position], box)
        return pixels if pixels.any() else None

    def unexplained_in(self, box: Box) -> NDArray[np.float32]:
        """Return the variance that no blur explains, at the pixels of a box.

        Of the slices that say something there, the mean.
        """
        near = self._shares > 0
        mean = np.where(near, self.unexplained, 0).sum(axis=0) / near.sum(axis=0)
        return at_pixels(mean, box)

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        """Shares by cell: the sharper a slice and the better explained, the more it says."""
        total = self.variance_px2
        near = total <= total.min(axis=0) + NEAR_FOCUS_PX2
        weight = np.where(near, 1 / ((1 + total) ** 2 * self.unexplained), 0.0)
        return np.asarray(weight / weight.sum(axis=0))


def iter_blur_map(
    fused: NDArray[np.float32],
    read: ReadPart,
    n_slices: int,
    z: NDArray[np.float64] | None,
    noise: float,
) -> Generator[None, None, BlurMap]:
    """Measure the blur of all slices.

    Parameters
    ----------
    fused : ndarray, (h, w), float32
        Part of the fused image in grey levels, finite.
    read : callable
        Reads, by position and box of that part, a slice.
    n_slices : int
        How many there are.
    z : ndarray, (n_slices,), or None
        Positions of the slices; None where they have no order.
    noise : float
        Standard deviation in grey levels.

    Yields
    ------
    None
        After each slice of each window.

    Returns
    -------
    BlurMap
    """
    ny, nx = n_cells((fused.shape[0], fused.shape[1]))
    # First and second moment of slice minus blurred fused image, by slice, rung and cell.
    moments = np.zeros((2, n_slices, len(RUNG_VARIANCES), ny, nx), np.float32)
    for window, core in windows_of((fused.shape[0], fused.shape[1])):
        ladder = BlurLadder(fused[window.slices])
        inner = core.shifted(-window.y0, -window.x0)
        rows = slice(core.y0 // CELL_PX, -(-core.y1 // CELL_PX))
        columns = slice(core.x0 // CELL_PX, -(-core.x1 // CELL_PX))
        for position in range(n_slices):
            measured = read(position, core)
            for number in range(len(RUNG_VARIANCES)):
                off = measured - ladder.rung(number)[inner.slices]
                moments[0, position, number, rows, columns] = cell_means(off)
                moments[1, position, number, rows, columns] = cell_means(off**2)
            yield
    found = [_of_slice(moments[:, position], noise) for position in range(n_slices)]
    variance = np.stack([filled(values, known) for values, known, _ in found])
    known = np.stack([known for _, known, _ in found])
    unexplained = np.stack([misfit for _, _, misfit in found]) + noise**2
    return BlurMap(variance, remaining_blur(variance, known, z), unexplained)


def windows_of(shape_yx: tuple[int, int]) -> Iterator[tuple[Box, Box]]:
    """Cut an image into windows: what to blur, and the core that is then right."""
    height, width = shape_yx
    for y0 in range(0, height, WINDOW_PX):
        for x0 in range(0, width, WINDOW_PX):
            core = Box(y0, min(y0 + WINDOW_PX, height), x0, min(x0 + WINDOW_PX, width))
            yield core.grown(HALO_PX, shape_yx), core


def _of_slice(
    moments: NDArray[np.float32], noise: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Return sigma squared by cell, where there was texture enough to tell, and what is left."""
    mean, square = smoothed(moments[0].astype(np.float64)), smoothed(moments[1].astype(np.float64))
    # A difference in brightness is no blur, hence the variance.
    misfit = np.maximum(square - mean**2, 0)
    least = misfit.min(axis=0)
    known = misfit.max(axis=0) - least > _LEAST_CONTRAST * noise**2
    return _lowest(misfit), known, least


def _lowest(misfit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where misfits (rungs, ny, nx) are lowest, as sigma squared: between rungs too."""
    last = len(misfit) - 1
    best = misfit.argmin(axis=0)
    middle = np.clip(best, 1, last - 1)
    before, at, after = (
        np.take_along_axis(misfit, (middle + step)[None], axis=0)[0] for step in (-1, 0, 1)
    )
    curvature = before - 2 * at + after
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.where(curvature > 0, 0.5 * (before - after) / curvature, 0.0)
    place = np.where(best == middle, middle + np.clip(offset, -0.5, 0.5), best)
    return np.asarray(np.interp(place, np.arange(last + 1), RUNG_VARIANCES))
