"""Grey levels ↔ what the model sees.

The mapping is affine, and only the model's input is clipped. What comes back is how much the model
changed what it was given: a pixel brighter than the limits keeps what lies beyond them, and a model
that changes nothing gives back every bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import without_gaps
from napari_gmff.sampling import percentile_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.params import InputRange

N_SEEN = 3
"""Red, green and blue: the model knows colour images only."""


@dataclass(frozen=True)
class ValueRange:
    """Intensities that the model sees as black and white.

    Attributes
    ----------
    low, high : float
        In grey levels; `high` is larger.
    """

    low: float
    high: float

    def seen(self, planes: NDArray[Any]) -> NDArray[np.float32]:
        """Return what the model is given.

        Parameters
        ----------
        planes : ndarray, (1, h, w) or (3, h, w)
            Grey, or red, green and blue, in grey levels. What is not finite is filled from the
            nearest pixel.

        Returns
        -------
        ndarray, (3, h, w), float32
            From 0 to 1; grey three times.
        """
        filled = np.stack([without_gaps(plane.astype(np.float32)) for plane in planes])
        scaled = (filled.astype(np.float64) - self.low) / (self.high - self.low)
        image = np.clip(scaled, 0, 1).astype(np.float32)
        return np.ascontiguousarray(np.broadcast_to(image, (N_SEEN, *image.shape[1:])))

    def change(
        self, given: NDArray[np.float32], restored: NDArray[np.float32], n_channels: int
    ) -> NDArray[np.float64]:
        """Return what the model changed, in grey levels.

        Parameters
        ----------
        given, restored : ndarray, (3, h, w), float32
            The model's input and output.
        n_channels : int
            1 for grey, which is the mean of the three; else 3.

        Returns
        -------
        ndarray, (n_channels, h, w), float64
        """
        changed = restored.astype(np.float64) - given
        if n_channels == 1:
            changed = changed.mean(axis=0, keepdims=True)
        return changed * (self.high - self.low)


def value_range(rule: InputRange, dtype: np.dtype[Any], samples: NDArray[np.generic]) -> ValueRange:
    """Return the intensities that a model sees as black and white.

    Parameters
    ----------
    rule : "auto", "dtype" or (low, high)
        As in `RestoreParams.input_range`.
    dtype : numpy.dtype
        Of the fused image.
    samples : ndarray
        Fused pixels of the channels that share the range; only "auto" looks at them, and takes
        robust limits.
    """
    if not isinstance(rule, str):
        return ValueRange(*rule)
    if rule == "auto":
        return ValueRange(*percentile_range(samples.astype(np.float32)))
    if dtype.kind == "f":
        return ValueRange(0.0, 1.0)
    limits = np.iinfo(dtype.name)
    return ValueRange(float(max(limits.min, 0)), float(limits.max))
