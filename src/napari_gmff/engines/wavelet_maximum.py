"""`wavelet-maximum`: of each scale of a wavelet transform, the slice with most energy there.

The transform is stationary, so the result moves with the image. Choices that their neighbours do
not share are outvoted: a speck of noise from a slice far off would else be part of the image.

References
----------
.. [1] B. Forster, D. Van De Ville, J. Berent, D. Sage and M. Unser, "Complex wavelets for extended
   depth-of-field: a new method for the fusion of multichannel microscopy images", Microscopy
   Research and Technique 65(1-2), 33-42, 2004 (maximum with a check of consistency; their
   transform is a complex one, ours is real and undecimated).
.. [2] H. Li, B. S. Manjunath and S. K. Mitra, "Multisensor image fusion using the wavelet
   transform", Graphical Models and Image Processing 57(3), 235-245, 1995 (the majority vote).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import ndimage

from napari_gmff.engines.blending import (
    Blend,
    WeightedMean,
    box_mean,
    contrast_weight,
    widest_sigma_px,
)
from napari_gmff.engines.swt import Swt, SwtBands, swt_reach_px

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_gmff.engines.base import BlendSource

    FloatPlane = NDArray[np.float32]

_SALIENCE_PX = 3
"""Side of the neighbourhood whose energy decides."""

_VOTERS_PX = 5
"""Side of the neighbourhood that votes on the choice in its middle."""

_MOST_LEVELS = 6
_BASE_POWER = 2.0

_LEAST_WEIGHT = 1e-60
"""Far below any other: a single NaN would spread to all that the transform back looks at."""


class WaveletMaximum(Blend):
    """Takes every scale from the slice that has most energy in it, neighbours permitting."""

    name: ClassVar[str] = "wavelet-maximum"
    title: ClassVar[str] = (
        "Blend by the maximum of a wavelet transform, checked by its neighbours: slow"
    )
    method: ClassVar[str] = (
        "the energy of each scale of a stationary wavelet transform; the fused image is made from "
        "the coefficients of the slice with the highest energy, after a majority vote among "
        "neighbours"
    )
    references: ClassVar[tuple[str, ...]] = (
        'Forster B, Van De Ville D, Berent J, Sage D, Unser M. "Complex wavelets for extended '
        'depth-of-field: a new method for the fusion of multichannel microscopy images". '
        "Microscopy Research and Technique 65(1-2):33-42, 2004.",
        'Li H, Manjunath BS, Mitra SK. "Multisensor image fusion using the wavelet transform". '
        "Graphical Models and Image Processing 57(3):235-245, 1995.",
    )
    pixel_ns: ClassVar[float] = 310.0

    @property
    def levels(self) -> int:
        """Number of scales: as many as look no further than the halo."""
        levels = 1
        while levels < _MOST_LEVELS and _reach_px(levels + 1) <= self.halo_px:
            levels += 1
        return levels

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        """Two for each slice: one to choose, one to take."""
        del shape_yx
        return 2 * n_slices

    def iter_blend(self, source: BlendSource) -> Generator[None, None, NDArray[np.float32]]:
        """Choose, then take; see `BlendEngine.iter_blend`."""
        swt = Swt(source.shape_yx, self.levels)
        choice = yield from self._choose(source, swt)
        return (yield from self._take(source, swt, choice))

    def describe(self) -> Mapping[str, object]:
        """Name the constants."""
        return {
            "levels": self.levels,
            "salience_px": _SALIENCE_PX,
            "voters_px": _VOTERS_PX,
            "device": "cpu",
        }

    def _choose(
        self, source: BlendSource, swt: Swt
    ) -> Generator[None, None, list[NDArray[np.int32]]]:
        """Return per scale the position of the slice with most energy."""
        salience = np.full((swt.levels, *swt.padded_shape_yx), -2, np.float32)
        choice = np.zeros(salience.shape, np.int32)
        for k in range(source.n_slices):
            bands, invalid = swt.forward(source.seen(k)), source.invalid(k)
            gaps = None if invalid is None else swt.padded(invalid)
            for level, details in enumerate(bands.details):
                across, down, diagonal = details
                energy = box_mean(across**2 + down**2 + diagonal**2, _SALIENCE_PX)
                if gaps is not None:
                    energy[gaps] = -1
                won = energy > salience[level]
                np.copyto(salience[level], energy, where=won)
                choice[level][won] = k
            yield
        return [_voted(choice[level], source.n_slices) for level in range(swt.levels)]

    def _take(
        self, source: BlendSource, swt: Swt, choice: list[NDArray[np.int32]]
    ) -> Generator[None, None, NDArray[np.float32]]:
        n_channels, shape = source.n_channels, swt.padded_shape_yx
        bands = np.zeros((n_channels, swt.levels, 3, *shape), np.float32)
        base = WeightedMean(n_channels, shape)
        sigma_px = widest_sigma_px(self.halo_px - swt_reach_px(swt.levels))
        nowhere = np.ones(source.shape_yx, bool)
        for k in range(source.n_slices):
            seen, invalid = source.seen(k), source.invalid(k)
            nowhere &= False if invalid is None else invalid
            weight = contrast_weight(seen, sigma_px, _BASE_POWER, invalid)
            wide = np.maximum(swt.padded(weight), _LEAST_WEIGHT)
            base.weigh(wide)
            for channel, plane in enumerate(source.pixels(k)):
                found = swt.forward(plane)
                for level, details in enumerate(found.details):
                    for one, band in enumerate(details):
                        np.copyto(bands[channel, level, one], band, where=choice[level] == k)
                base.add(channel, found.approximation, wide)
            yield
        image = np.stack(
            [
                swt.inverse(SwtBands(base.finish(channel), [tuple(one) for one in bands[channel]]))
                for channel in range(n_channels)
            ]
        )
        image[:, nowhere] = np.nan
        return image


def _reach_px(levels: int) -> int:
    return 2 * swt_reach_px(levels) + _SALIENCE_PX // 2 + _VOTERS_PX // 2


def _voted(choice: NDArray[np.int32], n_slices: int) -> NDArray[np.int32]:
    """Replace each choice by that of most of its neighbours; its own where there is a tie."""
    kernel = np.ones(_VOTERS_PX, np.int16)
    most = np.zeros(choice.shape, np.int16)
    winner = choice.copy()
    for k in range(n_slices):
        votes = (choice == k).astype(np.int16)
        own = votes > 0
        for axis in (0, 1):
            votes = ndimage.correlate1d(votes, kernel, axis, mode="reflect")
        # Doubled, so that one's own choice wins a tie and nothing else.
        votes = 2 * votes + own
        better = votes > most
        np.copyto(most, votes, where=better)
        winner[better] = k
    return winner
