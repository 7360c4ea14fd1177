"""Gaussian blur that changes from pixel to pixel, between rungs of fixed width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNGS_PX = (0.0, 0.5, 0.8, 1.2, 1.8, 2.7, 4.0, 6.0)
"""Sigmas; a slice that is blurred by more says nothing of details."""

RUNG_VARIANCES = np.square(RUNGS_PX)

REACH_PX = 4 * 6
"""How far the widest rung looks, as scipy cuts its Gaussian off."""


class BlurLadder:
    """One image at several widths of blur; each is computed when it is first asked for.

    Parameters
    ----------
    image : ndarray, (h, w), float32
        Not copied.
    """

    def __init__(self, image: NDArray[np.float32]) -> None:
        self._rungs: dict[int, NDArray[np.float32]] = {0: image}
        self._image = image

    def rung(self, number: int) -> NDArray[np.float32]:
        """Return the image blurred by ``RUNGS_PX[number]``."""
        if number not in self._rungs:
            blurred = ndimage.gaussian_filter(self._image, RUNGS_PX[number], mode="reflect")
            self._rungs[number] = blurred
        return self._rungs[number]

    def at(self, variance_px2: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the image blurred by another sigma at each pixel.

        Between rungs images are mixed in proportion to sigma squared, to which small blurs are
        linear.

        Parameters
        ----------
        variance_px2 : ndarray, (h, w), float32
            Sigma squared in px²; more than the widest rung counts as that.
        """
        place = np.interp(variance_px2, RUNG_VARIANCES, np.arange(len(RUNGS_PX)))
        lowest, highest = int(place.min()), int(np.ceil(place.max()))
        result = np.zeros_like(self._image)
        for number in range(lowest, highest + 1):
            share = np.clip(1 - np.abs(place - number), 0, 1).astype(np.float32)
            result += share * self.rung(number)
        return result
