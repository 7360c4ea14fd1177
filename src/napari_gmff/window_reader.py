"""Planes of one window, each read once where memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.failures import reading
from napari_gmff.reading.computing import computed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.windows import Box, Window

CACHE_BYTES = 256 << 20
"""Raw planes kept between scoring and copying; what does not fit is read again."""


class WindowReader:
    """Reads raw planes of a window and makes the engine's input of them.

    Parameters
    ----------
    stack : FocusStack
    plan : FusionPlan
    time : int
        Time point in the source.
    window : Window
    engine_input : EngineInput
        Of that time point.
    channels : list of int, optional
        Channels that are copied, or computed; all where left out.

    Attributes
    ----------
    invalid : dict of int to ndarray, (h, w), bool
        By slice position, pixels of the window that are not finite in some of the channels.
    """

    def __init__(
        self,
        stack: FocusStack,
        plan: FusionPlan,
        time: int,
        window: Window,
        engine_input: EngineInput,
        channels: list[int] | None = None,
    ) -> None:
        self._of = (stack, plan, time, window)
        self._volume = stack.data[time]
        self._name = f"{stack.name}: time point {time}" if stack.n_times > 1 else stack.name
        self._slices = plan.slices
        self._box = window.read
        self._input = engine_input
        self._channels = list(range(stack.n_channels)) if channels is None else channels
        self._cache: dict[tuple[int, int], NDArray[Any]] = {}
        self._cached_bytes = 0
        self.invalid: dict[int, NDArray[np.bool_]] = {}

    @property
    def n_slices(self) -> int:
        """Number of slices to choose from."""
        return len(self._slices)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type of the source."""
        dtype: np.dtype[Any] = self._volume.dtype
        return dtype

    def parts(self) -> Iterator[WindowReader]:
        """Yield a reader for all that decides by itself: this one, or one for each channel."""
        if not self._input.channels:
            yield self
        for one in self._input.channels:
            yield WindowReader(*self._of, one, [scale.channel for scale in one.scales])

    def read_ahead(self) -> None:
        """Read all that the engine will see at once; worth it where a window is small.

        Planes that are read one by one cost a few ms each however small they are.

        Raises
        ------
        SourceError
            If the stack cannot be read.
        """
        first, last = self._slices[0], self._slices[-1]
        for scale in self._input.scales:
            part = self._volume[(scale.channel, slice(first, last + 1), *self._box.slices)]
            if self._cached_bytes + part.nbytes > CACHE_BYTES:
                return
            with reading(f"{self._name}: slices {first} to {last} of channel {scale.channel}"):
                planes = computed(part)
            for position, plane in enumerate(planes):
                self._cache[position, scale.channel] = plane
            self._cached_bytes += planes.nbytes

    def engine_slice(self, position: int) -> NDArray[np.float32]:
        """Return what the engine sees of a slice, (h, w) float32, and note invalid pixels."""
        if self._volume.dtype.kind == "f":
            self._note_invalid(position)
        planes = [self._plane(position, scale.channel) for scale in self._input.scales]
        return self._input.make(planes)

    def raw(self, position: int, box: Box) -> NDArray[Any]:
        """Return the source's pixels of a slice, all channels that are copied.

        Parameters
        ----------
        position : int
            Position among the slices of the plan.
        box : Box
            Part of the window, in window pixels.

        Returns
        -------
        ndarray, (C, h, w) or (C, h, w, S)
        """
        planes = [self._plane(position, channel, box) for channel in self._channels]
        return np.stack(planes)

    def _plane(self, position: int, channel: int, box: Box | None = None) -> NDArray[Any]:
        """Return a plane of the window, or only part of it where nothing is cached."""
        key = position, channel
        if key in self._cache:
            plane = self._cache[key]
            return plane if box is None else plane[box.slices]
        part = self._box if box is None else box.shifted(self._box.y0, self._box.x0)
        number = self._slices[position]
        with reading(f"{self._name}: slice {number} of channel {channel}"):
            plane = computed(self._volume[channel, number][part.slices])
        if box is None and self._cached_bytes + plane.nbytes <= CACHE_BYTES:
            self._cache[key] = plane
            self._cached_bytes += plane.nbytes
        return plane

    def _note_invalid(self, position: int) -> None:
        invalid = np.zeros(self._box.shape, bool)
        for channel in self._channels:
            plane = self._plane(position, channel)
            finite = np.isfinite(plane)
            invalid |= ~(finite if plane.ndim == 2 else finite.all(-1))
        if invalid.any():
            self.invalid[position] = invalid
