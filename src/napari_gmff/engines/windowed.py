"""What the classical engines share: an energy of each pixel, averaged in a Gaussian window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import ndimage

from napari_gmff.engines.base import EngineOptions, RangeRule, SmoothingRule, whole
from napari_gmff.scores import ReadSlice, ScoreKind, TileScores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from napari_gmff.windows import Box

WINDOW_SIGMA_PX = 3.0
"""Small enough to follow edges, large enough to average noise."""

_TRUNCATE = 4.0
"""Where the Gaussian window ends, in sigmas."""

WINDOW_REACH_PX = int(_TRUNCATE * WINDOW_SIGMA_PX + 0.5)
"""How far the window looks, as scipy rounds it."""

ENERGY_FLOOR = 1e-12
"""Added before the logarithm: about the rounding noise of float32, far below any camera's."""

PERTUZ = (
    'Pertuz S, Puig D, Garcia MA. "Analysis of focus measure operators for '
    'shape-from-focus". Pattern Recognition 46(5):1415-1432, 2013.'
)
"""The survey that compares the measures."""


def window_mean(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Average under the Gaussian window.

    Parameters
    ----------
    values : ndarray, (h, w), float32 or float64
        Energies of pixels.

    Returns
    -------
    ndarray, (h, w)
        Same dtype; beyond the border the image is mirrored.
    """
    mean: NDArray[np.floating] = ndimage.gaussian_filter(
        values, WINDOW_SIGMA_PX, mode="reflect", truncate=_TRUNCATE
    )
    return mean


class WindowedEnergy(ABC):
    """Log of an energy in a window; needs no weights and no GPU.

    A measure says what the energy is; a slice is scored by itself, so memory does not grow with
    their number, and a score depends on nothing beyond `reach_px`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    method: ClassVar[str]
    references: ClassVar[tuple[str, ...]]
    reach_px: ClassVar[int | None]
    pixel_ns: ClassVar[float]
    """Work for each pixel and slice; see `FocusEngine.work_ns`."""

    score_kind: ClassVar[ScoreKind] = ScoreKind.LOG_ENERGY
    notes: tuple[str, ...] = ()

    def __init__(self, options: EngineOptions | None = None) -> None:
        del options  # nothing to choose

    @abstractmethod
    def energy(self, plane: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the energy of a slice, averaged in the window.

        Parameters
        ----------
        plane : ndarray, (h, w), float32
            Luminance in about 0...1; not to be changed.

        Returns
        -------
        ndarray, (h, w), float32 or float64
            Not negative but for rounding; grows with the square of the contrast.
        """

    def input_rule(self, dtype: np.dtype[np.generic]) -> RangeRule:
        """Percentiles: only the noise floor depends on the scale, so any rule would do."""
        del dtype
        return "percentiles"

    def smoothing_rule(self) -> SmoothingRule:
        """By the noise: an energy of fine detail is one of noise too."""
        return "auto-noise"

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        """One item for each slice."""
        del shape_yx
        return n_slices

    @classmethod
    def work_ns(cls, n_slices: int, shape_yx: tuple[int, int]) -> float:
        """Count the same for each pixel and slice."""
        return cls.pixel_ns * n_slices * shape_yx[0] * shape_yx[1]

    def iter_scores(
        self,
        read_slice: ReadSlice,
        n_slices: int,
        shape_yx: tuple[int, int],
        *,
        within: Box | None = None,
    ) -> Iterator[TileScores]:
        """Score slices one by one; the window is a single tile."""
        del within
        for k in range(n_slices):
            energy = np.maximum(self.energy(read_slice(k)), 0)
            scores = np.log(energy + energy.dtype.type(ENERGY_FLOOR))
            yield TileScores(k, whole(shape_yx), scores.astype(np.float32, copy=False))

    def describe(self) -> Mapping[str, object]:
        """Name the constants."""
        return {"window_sigma_px": WINDOW_SIGMA_PX, "device": "cpu"}
