"""What is given to the model: for each time point, one image of each channel, or of the colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.reading.computing import computed
from napari_gmff.restoration.masks import box_around, checked_mask, mask_of_confidence
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.results import FusionResult

_SAMPLING_TILE_PX = 2048
_MOST_SAMPLES = 1 << 20
_N_COLORS = 3


@dataclass(frozen=True)
class Part:
    """One image that the model is given.

    Attributes
    ----------
    time : int
        Time point of the fused image, from 0.
    channels : tuple of int
        One channel of the fused image, or its red, green and blue.
    box : Box
        Pixels of the fused image: the mask, and what the model sees around it.
    """

    time: int
    channels: tuple[int, ...]
    box: Box


class PartSource:
    """Cuts a fused image into what the model is given, and says where it may change it.

    Parameters
    ----------
    fused : FusionResult
        Must stay open.
    params : RestoreParams
        Time points, region and what counts as unsure.
    mask : array_like, optional
        Given mask; by confidence where left out.

    Attributes
    ----------
    times : list of int
        Time points of the fused image that are restored.
    region : Box
        The part of it that the result holds.
    is_per_channel : bool
        Whether each channel has a mask of its own, as where each was focused by itself.

    Raises
    ------
    ParameterError
        If time or region is outside, the mask does not fit, or there is no confidence to make one.
    """

    def __init__(self, fused: FusionResult, params: RestoreParams, mask: Any = None) -> None:
        self._fused, self._params = fused, params
        spec = fused.images["fused"]
        self.name = str(fused.provenance["source"]["name"])
        self.times = _times(params, spec.n_times)
        self.region = _region(params, spec.shape_yx)
        shape = (spec.n_times, *spec.shape_yx) if "t" in spec.axes else spec.shape_yx
        self._given = None if mask is None else checked_mask(mask, shape)
        if mask is None and "confidence" not in fused.images:
            why = "the result holds no confidence" if fused.pixels_copied else fused.why_no_choice
            raise ParameterError(f"mask: must be given, {why}")
        self.is_per_channel = mask is None and "c" in fused.images["confidence"].axes

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """Channels of the fused image that go to the model together; alpha goes nowhere."""
        if self._fused.geometry.is_rgb:
            return [tuple(range(_N_COLORS))]
        return [(channel,) for channel in range(self._fused.images["fused"].n_channels)]

    def parts_of(self, time: int) -> list[Part]:
        """Return what is given to the model of one time point; nothing where the mask is empty."""
        boxes = {}
        for group in self.groups:
            key = group[0] if self._is_own_mask else -1
            if key not in boxes:
                boxes[key] = box_around(self.mask(time, group))
        found = ((group, boxes[group[0] if self._is_own_mask else -1]) for group in self.groups)
        return [Part(time, group, box) for group, box in found if box is not None]

    def mask(self, time: int, channels: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return where some channels may change at a time point, (Y, X) of the fused image.

        Pixels that are not finite hold no data, and stay so.
        """
        if self._given is not None:
            wanted = np.array(self._given[time] if self._given.ndim == 3 else self._given)
        else:
            wanted = mask_of_confidence(
                self._confidence(time, channels[0]), self._params.mask_below
            )
        outside = np.ones(wanted.shape, bool)
        outside[self.region.slices] = False
        wanted[outside] = False
        if wanted.any() and self._fused.images["fused"].dtype.kind == "f":
            whole = Box(0, wanted.shape[0], 0, wanted.shape[1])
            wanted &= np.isfinite(self.pixels(time, channels, whole)).all(axis=0)
        return wanted

    def pixels(self, time: int, channels: tuple[int, ...], box: Box) -> NDArray[Any]:
        """Read fused pixels of a part, (C, h, w)."""
        spec = self._fused.images["fused"]
        lazy = self._fused.image("fused")
        lazy = lazy[time] if "t" in spec.axes else lazy
        if "c" not in spec.axes:
            return computed(lazy[box.slices])[None]
        return np.stack([computed(lazy[channel][box.slices]) for channel in channels])

    def samples(self, part: Part) -> NDArray[Any]:
        """Return fused pixels all over the image, whatever the region, to measure its range on."""
        height, width = self._fused.images["fused"].shape_yx
        stride = max(1, int(np.ceil(np.sqrt(height * width / _MOST_SAMPLES))))
        picked = [
            self.pixels(part.time, part.channels, tile)[:, ::stride, ::stride].ravel()
            for tile in tiles((height, width), _SAMPLING_TILE_PX)
        ]
        return np.concatenate(picked)

    @property
    def why_empty(self) -> str:
        """Why there is nothing to restore; a sentence."""
        if self._given is not None:
            return f"mask: selects no pixel with data in the part of {self.name} to restore"
        return (
            f"mask_below: no area of {self.name} has a confidence below "
            f"{self._params.mask_below:g}, there is nothing to restore"
        )

    @property
    def _is_own_mask(self) -> bool:
        return self.is_per_channel or self._fused.images["fused"].dtype.kind == "f"

    def _confidence(self, time: int, channel: int) -> NDArray[Any]:
        spec = self._fused.images["confidence"]
        lazy = self._fused.image("confidence")
        lazy = lazy[time] if "t" in spec.axes else lazy
        if "c" in spec.axes:
            # Colour samples of a channel share its confidence.
            lazy = lazy[channel * spec.n_channels // self._fused.images["fused"].n_channels]
        return computed(lazy)


def _times(params: RestoreParams, n_times: int) -> list[int]:
    if params.time is None:
        return list(range(n_times))
    if params.time[1] > n_times:
        start, stop = params.time
        raise ParameterError(f"time: {start}:{stop} is outside the {n_times} time points")
    return list(range(*params.time))


def _region(params: RestoreParams, shape_yx: tuple[int, int]) -> Box:
    if params.region is None:
        return Box(0, shape_yx[0], 0, shape_yx[1])
    rows, columns = params.region
    if rows[1] > shape_yx[0] or columns[1] > shape_yx[1]:
        raise ParameterError(
            f"region: {rows[0]}:{rows[1]},{columns[0]}:{columns[1]} is outside the "
            f"{shape_yx[0]} × {shape_yx[1]} pixels of the fused image"
        )
    return Box(*rows, *columns)
