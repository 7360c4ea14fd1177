"""`local-variance`: variance of the grey levels under a Gaussian window.

References
----------
.. [1] F. C. A. Groen, I. T. Young and G. Ligthart, "A comparison of different focus functions
   for use in autofocus algorithms", Cytometry 6(2), 81-91, 1985 (variance of grey levels).
.. [2] S. Pertuz, D. Puig and M. A. Garcia, "Analysis of focus measure operators for
   shape-from-focus", Pattern Recognition 46(5), 1415-1432, 2013 (STA3: grey-level variance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_gmff.engines.windowed import PERTUZ, WINDOW_REACH_PX, WindowedEnergy, window_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LocalVariance(WindowedEnergy):
    """Log of the windowed grey-level variance."""

    name: ClassVar[str] = "local-variance"
    title: ClassVar[str] = "Variance of grey levels: coarse contrast, classical, no weights"
    method: ClassVar[str] = "the variance of grey levels in a Gaussian window"
    references: ClassVar[tuple[str, ...]] = (
        'Groen FCA, Young IT, Ligthart G. "A comparison of different focus functions for use in '
        'autofocus algorithms". Cytometry 6(2):81-91, 1985.',
        PERTUZ,
    )
    reach_px: ClassVar[int | None] = WINDOW_REACH_PX
    pixel_ns: ClassVar[float] = 67.0

    def energy(self, plane: NDArray[np.float32]) -> NDArray[np.floating]:
        """Subtract the squared mean from the mean square; see `WindowedEnergy.energy`."""
        # float64: in float32 the difference of two near numbers is rounding, not variance.
        values = plane.astype(np.float64)
        return window_mean(values**2) - window_mean(values) ** 2
