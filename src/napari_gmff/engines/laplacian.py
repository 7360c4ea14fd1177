"""`laplacian-energy`: squared Laplacian averaged under a Gaussian window.

References
----------
.. [1] M. Subbarao, T. Choi and A. Nikzad, "Focusing techniques", Optical Engineering 32(11),
   2824-2836, 1993.
.. [2] S. Pertuz, D. Puig and M. A. Garcia, "Analysis of focus measure operators for
   shape-from-focus", Pattern Recognition 46(5), 1415-1432, 2013 (LAP1: energy of Laplacian).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import ndimage

from napari_gmff.engines.base import EngineOptions, RangeRule, SmoothingRule, whole
from napari_gmff.scores import ReadSlice, ScoreKind, TileScores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_gmff.windows import Box

WINDOW_SIGMA_PX = 3.0
"""Small enough to follow edges, large enough to average noise."""

_TRUNCATE = 4.0
"""Where the Gaussian window ends, in sigmas."""

ENERGY_FLOOR = 1e-12
"""Added before the logarithm: about the rounding noise of float32, far below any camera's."""


class LaplacianEnergy:
    """Log of the windowed squared Laplacian; needs no weights and no GPU."""

    name: ClassVar[str] = "laplacian-energy"
    title: ClassVar[str] = "Energy of the Laplacian: fast, classical, no weights"
    score_kind: ClassVar[ScoreKind] = ScoreKind.LOG_ENERGY
    method: ClassVar[str] = "the energy of the Laplacian, averaged in a Gaussian window"
    references: ClassVar[tuple[str, ...]] = (
        'Subbarao M, Choi T, Nikzad A. "Focusing techniques". '
        "Optical Engineering 32(11):2824-2836, 1993.",
        'Pertuz S, Puig D, Garcia MA. "Analysis of focus measure operators for '
        'shape-from-focus". Pattern Recognition 46(5):1415-1432, 2013.',
    )

    # One pixel for the Laplacian itself, as scipy rounds the rest.
    reach_px: ClassVar[int | None] = 1 + int(_TRUNCATE * WINDOW_SIGMA_PX + 0.5)

    notes: tuple[str, ...] = ()

    def __init__(self, options: EngineOptions | None = None) -> None:
        del options  # nothing to choose

    def input_rule(self, dtype: np.dtype[np.generic]) -> RangeRule:
        """Percentiles: only the noise floor depends on the scale, so any rule would do."""
        del dtype
        return "percentiles"

    def smoothing_rule(self) -> SmoothingRule:
        """By the noise: second differences amplify it more than anything else."""
        return "auto-noise"

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        """One item for each slice."""
        del shape_yx
        return n_slices

    @staticmethod
    def work_ns(n_slices: int, shape_yx: tuple[int, int]) -> float:
        """Count the same for each pixel and slice."""
        return 43.0 * n_slices * shape_yx[0] * shape_yx[1]

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
            energy = ndimage.laplace(read_slice(k), mode="reflect") ** 2
            energy = ndimage.gaussian_filter(
                energy, WINDOW_SIGMA_PX, mode="reflect", truncate=_TRUNCATE
            )
            scores = np.log(np.maximum(energy, 0) + np.float32(ENERGY_FLOOR))
            yield TileScores(k, whole(shape_yx), scores)

    def describe(self) -> Mapping[str, object]:
        """Name the constants."""
        return {"window_sigma_px": WINDOW_SIGMA_PX, "device": "cpu"}
