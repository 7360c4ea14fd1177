"""What a run will do: parameters checked against the stack, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.params import COMBINED, PER_CHANNEL
from napari_gmff.reading.stack import SUPPORTED_DTYPES, FocusStack
from napari_gmff.windows import Box, Window, window_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.params import Bounds, FuseParams


@dataclass(frozen=True)
class FusionPlan:
    """A run's parameters in terms of the stack.

    Attributes
    ----------
    times : list of int
        Time points to fuse.
    slices : list of int
        Slices to choose from, numbered as in the source.
    focus_channels : list of int
        Channels that decide.
    region : Box
        Part of the image that is kept.
    windows : list of Window
        Those of the image's grid that meet the region.
    per_channel : bool
        Whether each of several channels is focused by itself, and has maps of its own.
    """

    times: list[int]
    slices: list[int]
    focus_channels: list[int]
    region: Box
    windows: list[Window]
    per_channel: bool = False

    @property
    def n_parts(self) -> int:
        """How often a window is worked on: once for each channel that decides by itself."""
        return len(self.focus_channels) if self.per_channel else 1

    @property
    def index_dtype(self) -> np.dtype[np.unsignedinteger]:
        """Smallest unsigned type that holds every slice number."""
        return np.min_scalar_type(self.slices[-1])

    def place_of(self, window: Window) -> tuple[slice, slice]:
        """Return the rows and columns of the result that a window of the plan fills."""
        kept = window.core.intersection(self.region)
        assert kept is not None
        return kept.shifted(-self.region.y0, -self.region.x0).slices

    def z_um(self, stack: FocusStack) -> NDArray[np.float64] | None:
        """Return the positions of the slices to choose from in µm, None if unknown."""
        return None if stack.z_positions_um is None else stack.z_positions_um[self.slices]


def make_plan(stack: FocusStack, params: FuseParams) -> FusionPlan:
    """Check parameters against a stack.

    Raises
    ------
    SourceError
        If the stack has an empty axis or an unsupported pixel type.
    ParameterError
        If a channel, time, slice range or region is not in the stack.
    """
    if 0 in stack.data.shape:
        raise SourceError(f"{stack.name}: no axis may be empty, shape is {stack.data.shape}")
    if stack.dtype.name not in SUPPORTED_DTYPES:
        allowed = ", ".join(SUPPORTED_DTYPES)
        raise SourceError(f"{stack.name}: pixels must be {allowed}, found {stack.dtype.name}")
    height, width = stack.shape_yx
    rows, columns = params.region or ((0, height), (0, width))
    _check_within(rows, height, "region", "rows", stack)
    _check_within(columns, width, "region", "columns", stack)
    region = Box(*rows, *columns)
    windows = window_grid(stack.shape_yx, params.block_px, params.halo_px)
    return FusionPlan(
        times=_numbers(params.time, stack.n_times, "time", "time points", stack),
        slices=_numbers(params.z_range, stack.n_slices, "z_range", "slices", stack),
        focus_channels=_focus_channels(stack, params.channel),
        region=region,
        windows=[window for window in windows if window.core.intersection(region)],
        per_channel=_is_per_channel(stack, params.channel),
    )


def _check_within(bounds: Bounds, size: int, name: str, what: str, stack: FocusStack) -> None:
    if bounds[1] > size:
        raise ParameterError(
            f"{name}: {bounds[0]}:{bounds[1]} is outside the {size} {what} of {stack.name}"
        )


def _numbers(
    bounds: Bounds | None, size: int, name: str, what: str, stack: FocusStack
) -> list[int]:
    if bounds is None:
        return list(range(size))
    _check_within(bounds, size, name, what, stack)
    return list(range(*bounds))


def _is_per_channel(stack: FocusStack, choice: int | str) -> bool:
    names = [channel.name for channel in stack.channels]
    return choice == PER_CHANNEL and choice not in names and stack.n_channels > 1


def _focus_channels(stack: FocusStack, choice: int | str) -> list[int]:
    names = [channel.name for channel in stack.channels]
    if choice in names:
        return [names.index(str(choice))]
    if choice in (COMBINED, PER_CHANNEL):
        return list(range(stack.n_channels))
    if isinstance(choice, int) and choice < stack.n_channels:
        return [choice]
    listed = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
    raise ParameterError(f"channel: {stack.name} has {listed}, got {choice!r}")
