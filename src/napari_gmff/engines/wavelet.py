"""`wavelet-energy`: energy of the detail bands of a stationary wavelet transform.

The transform leaves no sample out, so the measure moves with the image: a decimated one would
score a pixel differently where the image is shifted by one.

References
----------
.. [1] G. Yang and B. J. Nelson, "Wavelet-based autofocusing and unsupervised segmentation of
   microscopic images", IEEE/RSJ IROS, 2143-2148, 2003.
.. [2] G. P. Nason and B. W. Silverman, "The stationary wavelet transform and some statistical
   applications", Lecture Notes in Statistics 103, 281-299, 1995.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_gmff.engines.swt import forward_swt, swt_reach_px
from napari_gmff.engines.windowed import PERTUZ, WINDOW_REACH_PX, WindowedEnergy, window_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS = 2
"""The first holds most of the noise, the second most of what defocus takes away."""


class WaveletEnergy(WindowedEnergy):
    """Log of the windowed energy of wavelet details."""

    name: ClassVar[str] = "wavelet-energy"
    title: ClassVar[str] = "Energy of wavelet details at two scales: classical, slower, no weights"
    method: ClassVar[str] = (
        "the energy of the detail bands of a stationary wavelet transform at two scales, averaged "
        "in a Gaussian window"
    )
    references: ClassVar[tuple[str, ...]] = (
        'Yang G, Nelson BJ. "Wavelet-based autofocusing and unsupervised segmentation of '
        'microscopic images". IEEE/RSJ International Conference on Intelligent Robots and Systems, '
        "2143-2148, 2003.",
        'Nason GP, Silverman BW. "The stationary wavelet transform and some statistical '
        'applications". Lecture Notes in Statistics 103:281-299, 1995.',
        PERTUZ,
    )
    reach_px: ClassVar[int | None] = swt_reach_px(_LEVELS) + WINDOW_REACH_PX
    pixel_ns: ClassVar[float] = 80.0

    def energy(self, plane: NDArray[np.float32]) -> NDArray[np.floating]:
        """Add the squares of all details and average; see `WindowedEnergy.energy`."""
        details = forward_swt(plane, _LEVELS).details
        total = np.zeros_like(plane)
        for level in details:
            for band in level:
                total += band**2
        return window_mean(total)
