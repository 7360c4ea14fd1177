"""`laplacian-pyramid`: of each band of a Laplacian pyramid, the slice with most contrast there.

Zerene Stacker calls this kind of fusion PMax. The pyramid leaves no sample out (the "à trous"
scheme), so the result moves with the image, no grid shows, and windows that overlap by what it
looks fit without seams. Adding up the bands gives the image back exactly.

References
----------
.. [1] P. J. Burt and E. H. Adelson, "The Laplacian pyramid as a compact image code", IEEE
   Transactions on Communications 31(4), 532-540, 1983.
.. [2] P. J. Burt and R. J. Kolczynski, "Enhanced image capture through fusion", ICCV, 173-182, 1993
   (choice by the salience in a neighbourhood).
.. [3] M. J. Shensa, "The discrete wavelet transform: wedding the à trous and Mallat algorithms",
   IEEE Transactions on Signal Processing 40(10), 2464-2482, 1992.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_gmff.engines.blending import (
    Blend,
    WeightedMean,
    box_mean,
    contrast_weight,
    widest_sigma_px,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_gmff.engines.base import BlendSource

    FloatPlane = NDArray[np.float32]

_SALIENCE_PX = 5
"""Side of the neighbourhood whose energy decides."""

_MOST_LEVELS = 8
_BASE_POWER = 2.0
"""Of the contrast that weighs what is coarser than all bands."""


class LaplacianPyramid(Blend):
    """Takes every band from the slice that has most contrast in it."""

    name: ClassVar[str] = "laplacian-pyramid"
    title: ClassVar[str] = (
        "Blend by the maximum of a Laplacian pyramid: for hairs that cross; gathers noise"
    )
    method: ClassVar[str] = (
        "the energy of each band of an undecimated Laplacian pyramid; the fused image is the sum "
        "of the bands, each taken from the slice with the highest energy"
    )
    references: ClassVar[tuple[str, ...]] = (
        'Burt PJ, Kolczynski RJ. "Enhanced image capture through fusion". '
        "International Conference on Computer Vision, 173-182, 1993.",
        'Burt PJ, Adelson EH. "The Laplacian pyramid as a compact image code". '
        "IEEE Transactions on Communications 31(4):532-540, 1983.",
    )
    pixel_ns: ClassVar[float] = 170.0

    @property
    def levels(self) -> int:
        """Number of bands: as many as look no further than the halo."""
        return levels_within(self.halo_px)

    def iter_blend(self, source: BlendSource) -> Generator[None, None, NDArray[np.float32]]:
        """Choose slice by slice; see `BlendEngine.iter_blend`."""
        levels, shape = self.levels, source.shape_yx
        salience = np.full((levels, *shape), -1, np.float32)
        bands = np.zeros((source.n_channels, levels, *shape), np.float32)
        base = WeightedMean(source.n_channels, shape)
        for k in range(source.n_slices):
            seen, invalid = source.seen(k), source.invalid(k)
            wins = _wins(seen, invalid, salience)
            weight = contrast_weight(seen, widest_sigma_px(self.halo_px), _BASE_POWER, invalid)
            base.weigh(weight)
            for channel, plane in enumerate(source.pixels(k)):
                details, rest = decomposed(plane, levels)
                for level, won in enumerate(wins):
                    np.copyto(bands[channel, level], details[level], where=won)
                base.add(channel, rest, weight)
            yield
        image: NDArray[np.float32] = bands.sum(axis=1)
        for channel in range(source.n_channels):
            image[channel] += base.finish(channel)
        return image

    def describe(self) -> Mapping[str, object]:
        """Name the constants."""
        return {"levels": self.levels, "salience_px": _SALIENCE_PX, "device": "cpu"}


def decomposed(plane: FloatPlane, levels: int) -> tuple[list[FloatPlane], FloatPlane]:
    """Return the bands of an image, finest first, and what is left.

    Parameters
    ----------
    plane : ndarray, (h, w), float32
        Of any size; mirrored beyond its border.
    levels : int
        Number of bands.

    Returns
    -------
    details : list of ndarray, (h, w), float32
    rest : ndarray, (h, w), float32
        All add up to the image. What lies further than ``2 * (2**levels - 1)`` from a pixel has
        no share in it.
    """
    details = []
    for level in range(levels):
        smooth = _smoothed(plane, 2**level)
        details.append(plane - smooth)
        plane = smooth
    return details, plane


def levels_within(halo_px: int) -> int:
    """Return how many bands look no further than a halo; 1 at least."""
    levels = 1
    while levels < _MOST_LEVELS and _reach_px(levels + 1) <= halo_px:
        levels += 1
    return levels


def _reach_px(levels: int) -> int:
    return 2 * ((1 << levels) - 1) + _SALIENCE_PX // 2


def _wins(
    seen: FloatPlane, invalid: NDArray[np.bool_] | None, salience: FloatPlane
) -> list[NDArray[np.bool_]]:
    """Return per band where a slice has more energy than all before, and note that energy."""
    details, _ = decomposed(seen, len(salience))
    wins = []
    for most, band in zip(salience, details, strict=True):
        energy = box_mean(band**2, _SALIENCE_PX)
        if invalid is not None:
            energy[invalid] = -1
        won = energy > most
        np.copyto(most, energy, where=won)
        wins.append(won)
    return wins


def _smoothed(plane: FloatPlane, step_px: int) -> FloatPlane:
    """Smooth with the kernel (1, 4, 6, 4, 1) / 16 whose taps lie `step_px` apart, both ways."""
    for axis in (0, 1):
        margins = [(0, 0), (0, 0)]
        margins[axis] = (2 * step_px, 2 * step_px)
        padded = np.pad(plane, margins, mode="symmetric")
        size = plane.shape[axis]
        taps = [
            padded[(slice(None),) * axis + (slice(tap * step_px, tap * step_px + size),)]
            for tap in range(5)
        ]
        # Scaled before they are added, so that no float overflows.
        plane = np.float32(1 / 16) * taps[0] + np.float32(1 / 16) * taps[4]
        plane += np.float32(1 / 4) * taps[1] + np.float32(1 / 4) * taps[3]
        plane += np.float32(3 / 8) * taps[2]
    return plane
