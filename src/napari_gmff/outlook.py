"""What fusing a stack would do, before anything is fused: images, size, memory, time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.export.pyramid import level_shapes
from napari_gmff.params import NETWORK_ENGINE
from napari_gmff.plan import make_plan
from napari_gmff.result_images import result_images
from napari_gmff.window_reader import CACHE_BYTES

if TYPE_CHECKING:
    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack

# Fitted to the peak memory of processes on Linux with Python 3.11, torch's build for the CPU and
# one thread: 1 to 3 channels, 4 to 200 slices, windows of 512 to 2048 px.
_CLASSICAL_BYTES = 120e6
"""Python and what every run imports."""

_CLASSICAL_BYTES_PER_PX = 150
"""Of a window: what the engine sees, scores, the running argmax, images on their way to disk."""

_NETWORK_BYTES = 400e6
"""The same with torch, the network, its weights and a tile of its fine pass."""

_COARSE_BYTES_PER_PX = 6
"""Of a window, for each slice: the network's coarse maps, on disk above the memory limit."""

_FINE_BYTES_PER_PX = 9
"""Of a window, for each slice, in the network's fine pass."""

_MOST_FINE_BYTES = 250e6
"""Tiles of the fine pass become smaller for long stacks."""


@dataclass(frozen=True)
class Outlook:
    """What a run with these parameters will do.

    Attributes
    ----------
    engine : str
        Name of the engine.
    n_slices, n_times, n_windows : int
        What it goes through: windows for each time point.
    window_yx : tuple of int
        Height and width of the largest window in pixels, halo included.
    images : tuple of ImageSpec
        What it writes. `depth_unrefined` is among them unless the slices are known to be in no
        order, which a run without z positions finds out by itself.
    output_bytes : int
        Size of all images with their pyramids, before compression: an upper bound of what is
        written, short of a few kB of metadata.
    memory_bytes : int
        Memory that the process will need about, on a CPU.
    """

    engine: str
    n_slices: int
    n_times: int
    n_windows: int
    window_yx: tuple[int, int]
    images: tuple[ImageSpec, ...]
    output_bytes: int
    memory_bytes: int


def outlook_of(stack: FocusStack, params: FuseParams) -> Outlook:
    """Tell what fusing a stack would do; no pixel is read.

    Parameters
    ----------
    stack : FocusStack
        As `read_stack` gives it.
    params : FuseParams
        Of the run.

    Returns
    -------
    Outlook
        See `estimate.estimate_seconds` for the time it takes.

    Raises
    ------
    ParameterError, SourceError
        As the run would, where parameters do not fit the stack.
    """
    plan = make_plan(stack, params)
    images = tuple(
        result_images(stack, plan, params, _may_be_ordered(plan, stack, params)).values()
    )
    largest = max(plan.windows, key=lambda window: window.read.shape[0] * window.read.shape[1])
    return Outlook(
        engine=params.engine,
        n_slices=len(plan.slices),
        n_times=len(plan.times),
        n_windows=len(plan.windows),
        window_yx=largest.read.shape,
        images=images,
        output_bytes=sum(_bytes_of(image) for image in images),
        memory_bytes=_memory_bytes(stack, plan, params, largest.read.shape),
    )


def _may_be_ordered(plan: FusionPlan, stack: FocusStack, params: FuseParams) -> bool:
    if params.slice_order != "auto":
        return params.slice_order == "ordered"
    z_um = plan.z_um(stack)
    steps = np.ones(1) if z_um is None else np.diff(z_um)
    return bool((steps > 0).all() or (steps < 0).all())


def _bytes_of(image: ImageSpec) -> int:
    """Size of an image with its pyramid."""
    n_planes = int(np.prod(image.shape[:-2]))
    n_pixels = sum(height * width for height, width in level_shapes(image.shape_yx))
    return n_planes * n_pixels * int(np.dtype(image.dtype).itemsize)


def _memory_bytes(
    stack: FocusStack, plan: FusionPlan, params: FuseParams, window_yx: tuple[int, int]
) -> int:
    n_pixels = window_yx[0] * window_yx[1]
    n_samples = stack.data.shape[-1] if stack.has_samples else 1
    plane_bytes = n_pixels * n_samples * stack.dtype.itemsize
    cached = min(CACHE_BYTES, plane_bytes * len(plan.slices) * len(plan.focus_channels))
    copied = stack.n_channels * plane_bytes
    if params.engine != NETWORK_ENGINE:
        return int(_CLASSICAL_BYTES + n_pixels * _CLASSICAL_BYTES_PER_PX + cached + copied)
    coarse = n_pixels * len(plan.slices) * _COARSE_BYTES_PER_PX
    fine = min(_MOST_FINE_BYTES, n_pixels * len(plan.slices) * _FINE_BYTES_PER_PX)
    kept = coarse if coarse <= params.memory_limit_mb << 20 else 0
    return int(_NETWORK_BYTES + kept + fine + cached + copied)
