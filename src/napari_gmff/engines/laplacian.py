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

from scipy import ndimage

from napari_gmff.engines.windowed import PERTUZ, WINDOW_REACH_PX, WindowedEnergy, window_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LaplacianEnergy(WindowedEnergy):
    """Log of the windowed squared Laplacian."""

    name: ClassVar[str] = "laplacian-energy"
    title: ClassVar[str] = "Energy of the Laplacian: fast, classical, no weights"
    method: ClassVar[str] = "the energy of the Laplacian, averaged in a Gaussian window"
    references: ClassVar[tuple[str, ...]] = (
        'Subbarao M, Choi T, Nikzad A. "Focusing techniques". '
        "Optical Engineering 32(11):2824-2836, 1993.",
        PERTUZ,
    )
    reach_px: ClassVar[int | None] = 1 + WINDOW_REACH_PX
    pixel_ns: ClassVar[float] = 43.0

    def energy(self, plane: NDArray[np.float32]) -> NDArray[np.floating]:
        """Square the Laplacian and average it; see `WindowedEnergy.energy`."""
        return window_mean(ndimage.laplace(plane, mode="reflect") ** 2)
