"""`tenengrad`: squared Sobel gradient averaged under a Gaussian window.

References
----------
.. [1] E. Krotkov, "Focusing", International Journal of Computer Vision 1(3), 223-237, 1988 (the
   Tenengrad measure; its threshold on weak gradients is left out, as a window averages instead).
.. [2] S. Pertuz, D. Puig and M. A. Garcia, "Analysis of focus measure operators for
   shape-from-focus", Pattern Recognition 46(5), 1415-1432, 2013 (GRA6: Tenengrad).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import ndimage

from napari_gmff.engines.windowed import PERTUZ, WINDOW_REACH_PX, WindowedEnergy, window_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TO_GREY_LEVELS_PER_PX = np.float32(1 / 8)
"""The weights of a Sobel kernel add up to a gradient that is eight times too large."""


class Tenengrad(WindowedEnergy):
    """Log of the windowed squared gradient."""

    name: ClassVar[str] = "tenengrad"
    title: ClassVar[str] = "Tenengrad: energy of the Sobel gradient, classical, no weights"
    method: ClassVar[str] = (
        "the energy of the Sobel gradient (Tenengrad), averaged in a Gaussian window"
    )
    references: ClassVar[tuple[str, ...]] = (
        'Krotkov E. "Focusing". International Journal of Computer Vision 1(3):223-237, 1988.',
        PERTUZ,
    )
    reach_px: ClassVar[int | None] = 1 + WINDOW_REACH_PX
    pixel_ns: ClassVar[float] = 58.0

    def energy(self, plane: NDArray[np.float32]) -> NDArray[np.floating]:
        """Add the squares of both derivatives and average; see `WindowedEnergy.energy`."""
        down, right = (
            ndimage.sobel(plane, axis, mode="reflect") * _TO_GREY_LEVELS_PER_PX for axis in (0, 1)
        )
        return window_mean(down**2 + right**2)
