"""`SourcePixels`: what a stack holds where a result was made of it, read when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.failures import reading
from napari_gmff.reading.computing import computed
from napari_gmff.selection import as_channels
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack


@dataclass(frozen=True)
class SourcePixels:
    """Reads the stack at places of the result.

    Attributes
    ----------
    stack : FocusStack
        What was fused.
    plan : FusionPlan
        Of the run.
    """

    stack: FocusStack
    plan: FusionPlan

    def in_image(self, box: Box, time_position: int = 0) -> Box:
        """Return a box of the result in pixels of the stack.

        Raises
        ------
        ParameterError
            If the box or the time point is outside the result.
        """
        height, width = self.plan.region.shape
        if not (0 <= box.y0 < box.y1 <= height and 0 <= box.x0 < box.x1 <= width):
            what = f"({box.y0}, {box.x0})" if box.shape == (1, 1) else f"{tuple(box)}"
            raise ParameterError(f"pixel: must be inside {height}x{width}, got {what}")
        if not 0 <= time_position < len(self.plan.times):
            count = len(self.plan.times)
            raise ParameterError(f"time: must be below {count}, got {time_position}")
        return box.shifted(self.plan.region.y0, self.plan.region.x0)

    def column(self, y: int, x: int, time_position: int = 0) -> NDArray[Any]:
        """Return the intensities of all fused slices at a pixel of the result.

        Parameters
        ----------
        y, x : int
            Pixel of the result.
        time_position : int
            Time point of the result, from 0.

        Returns
        -------
        ndarray, (C, N)
            Dtype of the source; channels as in the fused image, slices in order.

        Raises
        ------
        ParameterError
            If the pixel is outside the result.
        SourceError
            If the stack cannot be read.
        """
        box = self.in_image(Box(y, y + 1, x, x + 1), time_position)
        first, last = self.plan.slices[0], self.plan.slices[-1]
        time = self.plan.times[time_position]
        with reading(f"{self.stack.name}: row {box.y0}, column {box.x0} of all slices"):
            part = computed(self.stack.data[time, :, first : last + 1, box.y0, box.x0])
        values = np.asarray(part)
        if values.ndim == 3:  # (C, N, S): colour samples are channels
            values = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
        return values

    def part_of_slice(self, number: int, box: Box, time_position: int = 0) -> NDArray[Any]:
        """Return the pixels of one slice in a part of the result.

        Parameters
        ----------
        number : int
            Slice, numbered as in the source.
        box : Box
            Pixels of the result.
        time_position : int
            Time point of the result, from 0.

        Returns
        -------
        ndarray, (C, h, w)
            Dtype of the source; channels as in the fused image.

        Raises
        ------
        ParameterError
            If the box is not inside the result, or the slice was not fused.
        SourceError
            If the stack cannot be read.
        """
        if number not in self.plan.slices:
            first, last = self.plan.slices[0], self.plan.slices[-1]
            raise ParameterError(f"slice: must be from {first} to {last}, got {number}")
        part = self.in_image(box, time_position)
        volume = self.stack.data[self.plan.times[time_position]]
        with reading(f"{self.stack.name}: slice {number}"):
            planes = computed(volume[(slice(None), number, *part.slices)])
        return as_channels(np.asarray(planes))
