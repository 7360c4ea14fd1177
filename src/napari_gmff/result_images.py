"""Which images a run produces, and where their pixels lie."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.export.layout import Geometry, ImageSpec
from napari_gmff.marks import marked
from napari_gmff.reading.stack import Channel

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from napari_gmff.export.layout import Kind
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack

BLENDED_TITLE = "fused (blended)"
"""Wherever it is shown, an image of computed pixels says so."""

_SAMPLES = (
    Channel("red", "FF0000"),
    Channel("green", "00FF00"),
    Channel("blue", "0000FF"),
    Channel("alpha"),
)


def result_images(
    stack: FocusStack,
    plan: FusionPlan,
    params: FuseParams,
    ordered: bool,
    *,
    is_blend: bool = False,
) -> dict[str, ImageSpec]:
    """Describe the images of a run, by name.

    `depth_unrefined` is there where depth is refined; `max_projection` where it is asked for. A
    blend chooses no slices, so it has no index, no depth and no confidence. Where each channel is
    focused by itself, maps have a C axis of the stack's channels. Where a generative model made
    pixels of the stack, all titles end with the mark.
    """
    channels = _channels(stack)
    times = (len(plan.times),) if len(plan.times) > 1 else ()
    t_axis = "t" if times else ""
    c_axis, c_length = ("c", (len(channels),)) if len(channels) > 1 else ("", ())
    unit = "slice" if plan.z_um(stack) is None else "µm"

    def intensity(name: str, title: str = "") -> ImageSpec:
        shape = (*times, *c_length, *plan.region.shape)
        axes = f"{t_axis}{c_axis}yx"
        return ImageSpec(
            name, axes, shape, stack.dtype, "intensity", channels=channels, title=title
        )

    map_axes = f"{t_axis}yx"
    map_length: tuple[int, ...] = ()
    map_channels: tuple[Channel, ...] = ()
    if plan.per_channel:
        map_axes, map_length = f"{t_axis}cyx", (len(plan.focus_channels),)
        map_channels = tuple(stack.channels[number] for number in plan.focus_channels)

    def map_of(name: str, dtype: DTypeLike, kind: Kind, unit: str | None = None) -> ImageSpec:
        shape = (*times, *map_length, *plan.region.shape)
        return ImageSpec(name, map_axes, shape, np.dtype(dtype), kind, unit, map_channels)

    images = [intensity("fused", BLENDED_TITLE if is_blend else "")]
    if not is_blend:
        images += [
            map_of("focus_index", plan.index_dtype, "index"),
            map_of("depth", np.float32, "depth", unit),
            map_of("confidence", np.float32, "confidence"),
        ]
        if ordered:
            images.append(map_of("depth_unrefined", np.float32, "depth", unit))
    if params.projections:
        images.append(intensity("max_projection"))
    if stack.is_restored:
        # What comes from invented pixels is no measurement either.
        images = [replace(image, title=marked(image.title)) for image in images]
    return {image.name: image for image in images}


def result_geometry(stack: FocusStack, plan: FusionPlan) -> Geometry:
    """Say where the result's pixels lie: the region's corner is its origin."""
    _, y_um, x_um = stack.voxel_size_um
    origin = (
        stack.origin_yx_um[0] + plan.region.y0 * (y_um or 0.0),
        stack.origin_yx_um[1] + plan.region.x0 * (x_um or 0.0),
    )
    return Geometry(
        pixel_size_um=(y_um, x_um),
        origin_um=origin,
        is_rgb=stack.has_samples and stack.n_channels == 1,
    )


def _channels(stack: FocusStack) -> tuple[Channel, ...]:
    if not stack.has_samples:
        return stack.channels
    samples = _SAMPLES[: stack.data.shape[-1]]
    if stack.n_channels == 1:
        return samples
    return tuple(
        Channel(f"{channel.name} {sample.name}", sample.color)
        for channel in stack.channels
        for sample in samples
    )
