"""What the engine sees: range, weights of channels and smoothing, measured once per time point.

Nothing here ever touches the pixels that are copied into the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.sampling import (
    Samples,
    decoded_bytes,
    iter_samples,
    looks_ordered,
    luminance,
    noise_level,
    patch_boxes,
    percentile_range,
    smoothing_for,
)
from napari_gmff.steps import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_gmff.engines.base import Engine
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack

_NOISE_FLOOR = 0.01
"""Noise, as a fraction of the range, below which channels count as equally good."""

_ROUNDING_NOISE = 12**-0.5
"""Standard deviation, in grey levels, of rounding to whole ones."""

_CONSTANT_QUALITY = 1e-12
"""Not 0: where every channel is constant, shares must still add up to 1."""

_FINITE_LIMITS = (-1e6, 1e6)
"""Far beyond any image; squares of what lies within stay finite in float32."""


@dataclass(frozen=True)
class ChannelScale:
    """One channel's share in what the engine sees.

    Attributes
    ----------
    channel : int
        Number in the source.
    low, high : float
        Grey levels seen as 0 and 1.
    noise : float
        Estimated noise as a fraction of high - low.
    weight : float
        Share of this channel; shares add up to 1.
    """

    channel: int
    low: float
    high: float
    noise: float
    weight: float


@dataclass(frozen=True)
class EngineInput:
    """How slices of one time point become what the engine sees.

    Attributes
    ----------
    scales : tuple of ChannelScale
        The channels that decide.
    sigma_px : float
        Gaussian smoothing; 0 for none.
    ordered : bool
        Whether the samples look like slices in z order.
    constant_slices : tuple of int
        Positions of slices whose samples are all equal.
    channels : tuple of EngineInput
        One for each channel, where each is focused by itself; empty where all share the choice.
    """

    scales: tuple[ChannelScale, ...]
    sigma_px: float
    ordered: bool
    constant_slices: tuple[int, ...]
    channels: tuple[EngineInput, ...] = ()

    @property
    def parts(self) -> tuple[EngineInput, ...]:
        """What decides by itself: each channel, or all together."""
        return self.channels or (self,)

    @property
    def reach_px(self) -> int:
        """How far the smoothing looks, as scipy cuts its Gaussian off."""
        return int(4 * self.sigma_px + 0.5)

    def make(self, planes: list[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Make the engine's slice from one plane per scale.

        Parameters
        ----------
        planes : list of ndarray, (h, w) or (h, w, S)
            Raw planes of the channels in `scales`, in that order.

        Returns
        -------
        ndarray, (h, w), float32
            About 0...1, finite.
        """
        total: NDArray[np.float32] | None = None
        for scale, plane in zip(self.scales, planes, strict=True):
            grey = luminance(plane)
            if plane.dtype.kind == "f":
                grey = without_gaps(grey)
            # Pixels at the ends of float32 go beyond it here, and are brought back just below.
            with np.errstate(over="ignore"):
                seen = (grey - np.float32(scale.low)) * np.float32(1 / (scale.high - scale.low))
            seen = np.clip(seen, *_FINITE_LIMITS) * np.float32(scale.weight)
            total = seen if total is None else total + seen
        assert total is not None
        if self.sigma_px:
            total = ndimage.gaussian_filter(total, self.sigma_px, mode="reflect")
        return total


def measure_input(
    stack: FocusStack, plan: FusionPlan, params: FuseParams, engine: Engine, time: int
) -> EngineInput:
    """Measure one time point at once; see `iter_measure_input`."""
    return outcome_of(iter_measure_input(stack, plan, params, engine, time))


def iter_measure_input(
    stack: FocusStack, plan: FusionPlan, params: FuseParams, engine: Engine, time: int
) -> Generator[None, None, EngineInput]:
    """Measure one time point on samples at fixed positions of the whole image.

    Yields
    ------
    None
        After each plane that was read: once for each focus channel and slice.

    Returns
    -------
    EngineInput

    Raises
    ------
    SourceError
        If a plane cannot be read.
    """
    first, last = plan.slices[0], plan.slices[-1]
    samples = []
    for channel in plan.focus_channels:
        planes = stack.data[time, channel, first : last + 1]
        one = yield from iter_samples(planes, _namer(stack.name, channel, first))
        samples.append(one)
    dtype = stack.dtype
    whole = _input_of(samples, plan.focus_channels, dtype, params, engine)
    if not plan.per_channel:
        return whole
    channels = (
        _input_of([one], [channel], dtype, params, engine)
        for channel, one in zip(plan.focus_channels, samples, strict=True)
    )
    return replace(whole, channels=tuple(channels))


def _input_of(
    samples: list[Samples],
    channels: list[int],
    dtype: np.dtype[np.generic],
    params: FuseParams,
    engine: Engine,
) -> EngineInput:
    scales = _scales(samples, channels, dtype, params, engine)
    with np.errstate(over="ignore", invalid="ignore"):
        together: Samples = np.sum(samples, axis=0, dtype=np.float32)
    noise = float(np.sqrt(sum((scale.weight * scale.noise) ** 2 for scale in scales)))
    return EngineInput(
        scales=scales,
        sigma_px=_sigma_px(noise, params, engine),
        ordered=looks_ordered(together),
        constant_slices=_constant_slices(samples),
    )


def sampled_bytes(stack: FocusStack, plan: FusionPlan) -> int:
    """Return what has to be decoded to measure one time point, in bytes."""
    boxes = patch_boxes((len(plan.slices), *stack.shape_yx))
    return decoded_bytes(stack.data, boxes) * len(plan.slices) * len(plan.focus_channels)


def _sigma_px(noise: float, params: FuseParams, engine: Engine) -> float:
    if not isinstance(params.input_sigma_px, str):
        return params.input_sigma_px
    return smoothing_for(noise) if engine.smoothing_rule() == "auto-noise" else 0.0


def _namer(stack_name: str, channel: int, first: int) -> Callable[[int], str]:
    return lambda position: f"{stack_name}: slice {first + position} of channel {channel}"


def _scales(
    samples: list[Samples],
    channels: list[int],
    dtype: np.dtype[np.generic],
    params: FuseParams,
    engine: Engine,
) -> tuple[ChannelScale, ...]:
    ranges = [_input_range(one, dtype, params, engine) for one in samples]
    noises = [
        noise_level(one) / (high - low) for one, (low, high) in zip(samples, ranges, strict=True)
    ]
    quality = [
        _quality(one, dtype, noise, high - low)
        for one, noise, (low, high) in zip(samples, noises, ranges, strict=True)
    ]
    return tuple(
        ChannelScale(channel, low, high, noise, good / sum(quality))
        for channel, (low, high), noise, good in zip(channels, ranges, noises, quality, strict=True)
    )


def _quality(samples: Samples, dtype: np.dtype[np.generic], noise: float, extent: float) -> float:
    """Return a channel's inverse variance.

    An empty channel, which is noise stretched to full range, counts for little; so does one whose
    range is so few grey levels that rounding hides its noise. A constant one says nothing, and
    its share would only dim the others.
    """
    if _is_constant(samples):
        return _CONSTANT_QUALITY
    rounding = 0.0 if dtype.kind == "f" else _ROUNDING_NOISE / extent
    return 1 / (max(noise, rounding) ** 2 + _NOISE_FLOOR**2)


def _input_range(
    samples: Samples, dtype: np.dtype[np.generic], params: FuseParams, engine: Engine
) -> tuple[float, float]:
    if not isinstance(params.input_range, str):
        return params.input_range
    rule = "dtype" if params.input_range == "dtype" else engine.input_rule(dtype)
    if rule == "percentiles":
        return percentile_range(samples)
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype.name)
    return float(max(limits.min, 0)), float(limits.max)


def _constant_slices(samples: list[Samples]) -> tuple[int, ...]:
    flat = np.concatenate([one.reshape(len(one), -1) for one in samples], axis=1)
    return tuple(k for k, values in enumerate(flat) if _is_constant(values))


def _is_constant(values: NDArray[np.float32]) -> bool:
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() == finite.max())


def without_gaps(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill what is not finite from the nearest finite pixel: any constant would draw an edge.

    Parameters
    ----------
    grey : ndarray, (h, w), float32
        Returned as it is where all of it is finite.
    """
    gaps = ~np.isfinite(grey)
    if not gaps.any():
        return grey
    if gaps.all():
        return np.zeros_like(grey)
    nearest = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    return np.asarray(grey[tuple(nearest)])
