"""`MeasuredSlices`: what the stack measured at places of the fused image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import without_gaps
from napari_gmff.errors import ParameterError
from napari_gmff.failures import reading
from napari_gmff.reading.computing import computed
from napari_gmff.reading.stack import FocusStack
from napari_gmff.sampling import iter_samples, noise_level, percentile_range
from napari_gmff.steps import outcome_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_gmff.windows import Box

ROUNDING_NOISE = 12**-0.5
"""Standard deviation, in grey levels, of rounding to whole ones: no integer is known better."""

_LEAST_NOISE = 2.0**-12
"""As a fraction of the range: what a stack without any noise is compared to."""


class MeasuredSlices:
    """Reads parts of the slices that an image was fused from; safe to use again and again.

    Parameters
    ----------
    stack : FocusStack
        Must be the one that was fused, and stay open.
    provenance : mapping
        Record of the fusion, which says what of the stack was fused.

    Attributes
    ----------
    n_slices : int
        Number of slices that were fused.
    z : ndarray, (n_slices,), float64, or None
        Their positions in µm, or in slices where those are unknown; None where slices are not in
        the order of z.

    Raises
    ------
    ParameterError
        If it is another stack.
    """

    def __init__(self, stack: FocusStack, provenance: Mapping[str, Any]) -> None:
        check_same_stack(stack, provenance)
        self._stack = stack
        self._numbers: list[int] = list(provenance["slices"]["numbers"])
        self._times: list[int] = list(provenance["times"])
        region = provenance["parameters"].get("region") or ((0, 0), (0, 0))
        self._corner = (int(region[0][0]), int(region[1][0]))
        self.n_slices = len(self._numbers)
        self.z: NDArray[np.float64] | None = None
        if provenance["slices"]["order"] == "ordered":
            z_um = provenance["slices"].get("z_um")
            self.z = np.asarray(self._numbers if z_um is None else z_um, np.float64)

    def part(self, position: int, time: int, channel: int, box: Box) -> NDArray[np.float32]:
        """Read a part of one slice.

        Parameters
        ----------
        position : int
            Among the slices that were fused, from 0.
        time : int
            Time point of the fused image, from 0.
        channel : int
            Channel of the fused image; each colour sample is one.
        box : Box
            Pixels of the fused image.

        Returns
        -------
        ndarray, (h, w), float32
            In grey levels; what is not finite is filled from the nearest pixel.

        Raises
        ------
        SourceError
            If the stack cannot be read.
        """
        number, moved = self._numbers[position], box.shifted(*self._corner)
        stack_channel, sample = self._place_of(channel)
        with reading(f"{self._stack.name}: slice {number} of channel {stack_channel}"):
            lazy = self._stack.data[self._times[time], stack_channel, number]
            plane = computed(lazy[(*moved.slices, *sample)])
        return without_gaps(plane.astype(np.float32))

    def noise(self, time: int, channel: int) -> float:
        """Measure the noise of the slices, as a standard deviation in grey levels.

        Never 0: rounding is noise too, and so much of a float's range counts as such.

        Raises
        ------
        SourceError
            If the stack cannot be read.
        """
        stack_channel, sample = self._place_of(channel)
        first, last = self._numbers[0], self._numbers[-1]
        planes = self._stack.data[self._times[time], stack_channel, first : last + 1]
        samples = outcome_of(iter_samples(planes[(..., *sample)]))
        low, high = percentile_range(samples)
        is_float = self._stack.dtype.kind == "f"
        least = _LEAST_NOISE * (high - low) if is_float else ROUNDING_NOISE
        return max(noise_level(samples), least)

    def _place_of(self, channel: int) -> tuple[int, tuple[int, ...]]:
        """Return the stack's channel, and the index of the colour sample in it."""
        if not self._stack.has_samples:
            return channel, ()
        stack_channel, sample = divmod(channel, int(self._stack.data.shape[-1]))
        return stack_channel, (sample,)


def check_same_stack(stack: object, provenance: Mapping[str, Any]) -> None:
    """Check that a stack is the one that was fused.

    Raises
    ------
    ParameterError
        If not.
    """
    if not isinstance(stack, FocusStack):
        found = type(stack).__name__
        raise ParameterError(f"stack: must be a FocusStack, as read_stack gives it, got {found}")
    source = provenance["source"]
    if stack.fingerprint != source["fingerprint"]:
        raise ParameterError(
            f"stack: must be the one that was fused, {source['name']} "
            f"({source['fingerprint'][:12]}), got {stack.name} ({stack.fingerprint[:12]})"
        )
