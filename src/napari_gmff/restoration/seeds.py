"""Mean and spread of several restorations, without keeping them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SeedSpread:
    """Gathers restorations of one image from several seeds.

    B. P. Welford's update ("Note on a method for calculating corrected sums of squares and
    products", Technometrics 4(3), 1962), which loses no digits.
    """

    def __init__(self) -> None:
        self._n = 0
        self._mean: NDArray[np.float64] = np.zeros(())
        self._squares: NDArray[np.float64] = np.zeros(())

    def add(self, values: NDArray[np.float64]) -> None:
        """Add one restoration, any shape, in grey levels."""
        self._n += 1
        off = values - self._mean
        self._mean = self._mean + off / self._n
        self._squares = self._squares + off * (values - self._mean)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of those added."""
        return self._mean

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation of those added, with n - 1; 0 of a single one."""
        return np.sqrt(self._squares / max(self._n - 1, 1))
