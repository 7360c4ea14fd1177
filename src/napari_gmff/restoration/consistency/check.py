"""`StackCheck`: what the stack says about one restored image, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import without_gaps
from napari_gmff.restoration.consistency.back_projection import iter_back_projection
from napari_gmff.restoration.consistency.blur_map import BlurMap, iter_blur_map, windows_of
from napari_gmff.restoration.consistency.contradiction import iter_contradiction

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_gmff.restoration.consistency.measured_slices import MeasuredSlices
    from napari_gmff.restoration.parts import Part
    from napari_gmff.windows import Box


class StackCheck:
    """Compares restorations of one part with the slices it was fused from.

    Parameters
    ----------
    slices : MeasuredSlices
    part : Part
        What is restored.
    fused : ndarray, (C, h, w)
        Its fused pixels.
    weight : ndarray, (h, w), float32
        How much a restoration counts, from 0 to 1.

    Attributes
    ----------
    n_measure_steps, n_steps : int
        How often `measure` yields, and each of the others.
    """

    def __init__(
        self,
        slices: MeasuredSlices,
        part: Part,
        fused: NDArray[Any],
        weight: NDArray[np.float32],
    ) -> None:
        self._slices, self._part, self._weight = slices, part, weight
        self._fused = [without_gaps(plane.astype(np.float32)) for plane in fused]
        self._blurs: list[BlurMap] = []
        self._noises: list[float] = []
        shape = (weight.shape[0], weight.shape[1])
        n_planes = slices.n_slices * len(part.channels)
        cores = [core for _, core in windows_of(shape)]
        self.n_measure_steps = n_planes * len(cores)
        self.n_steps = n_planes * sum(bool(weight[core.slices].any()) for core in cores)

    def measure(self) -> Generator[None, None, None]:
        """Measure noise and blur of the slices; first of all.

        Yields
        ------
        None
            After each slice of each window.
        """
        for channel, fused in zip(self._part.channels, self._fused, strict=True):
            noise = self._slices.noise(self._part.time, channel)
            blur = yield from iter_blur_map(
                fused, self._reader(channel), self._slices.n_slices, self._slices.z, noise
            )
            self._blurs.append(blur)
            self._noises.append(noise)

    def project_back(self, values: NDArray[np.float64]) -> Generator[None, None, NDArray[Any]]:
        """Do one round of back-projection; see `iter_back_projection`.

        Parameters
        ----------
        values : ndarray, (C, h, w), float64
            Restored image in grey levels.

        Yields
        ------
        None
            After each slice of each window.

        Returns
        -------
        ndarray, (C, h, w), float64
            Exactly `values` where the weight is 0.
        """
        result = values.copy()
        for number, channel in enumerate(self._part.channels):
            plane = self._finite(values[number], number)
            pulled = yield from iter_back_projection(
                self._fused[number], plane, self._weight, self._blurs[number], self._reader(channel)
            )
            result[number] += np.where(self._weight > 0, pulled - plane, 0)
        return result

    def contradiction(self, pixels: NDArray[Any]) -> Generator[None, None, NDArray[np.float32]]:
        """Say where a restored image contradicts the slices; see `iter_contradiction`.

        Parameters
        ----------
        pixels : ndarray, (C, h, w)
            Restored image.

        Yields
        ------
        None
            After each slice of each window.

        Returns
        -------
        ndarray, (h, w), float32
            In units of the noise; of the channel that contradicts most.
        """
        most = np.zeros(self._weight.shape, np.float32)
        for number, channel in enumerate(self._part.channels):
            found = yield from iter_contradiction(
                self._fused[number],
                self._finite(pixels[number], number),
                self._weight > 0,
                self._blurs[number],
                self._reader(channel),
                self._noises[number],
            )
            np.maximum(most, found, out=most)
        return most

    def _finite(self, plane: NDArray[Any], number: int) -> NDArray[np.float32]:
        """Return a restored plane that outside the mask is the fused one, gaps filled."""
        inside = self._weight > 0
        return np.where(inside, plane, self._fused[number]).astype(np.float32)

    def _reader(self, channel: int) -> Any:
        box = self._part.box

        def read(position: int, part: Box) -> NDArray[np.float32]:
            moved = part.shifted(box.y0, box.x0)
            return self._slices.part(position, self._part.time, channel, moved)

        return read
