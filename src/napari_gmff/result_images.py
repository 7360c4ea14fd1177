"""Which images a run produces, and where their pixels lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.export.layout import Geometry, ImageSpec
from napari_gmff.reading.stack import Channel

if TYPE_CHECKING:
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack

_SAMPLES = (
    Channel("red", "FF0000"),
    Channel("green", "00FF00"),
    Channel("blue", "0000FF"),
    Channel("alpha"),
)


def result_images(
    stack: FocusStack, plan: FusionPlan, params: FuseParams, ordered: bool
) -> dict[str, ImageSpec]:
    """Describe the images of a run, by name.

    `depth_unrefined` is there where depth is refined; `max_projection` where it is asked for.
    """
    channels = _channels(stack)
    times = (len(plan.times),) if len(plan.times) > 1 else ()
    t_axis = "t" if times else ""
    c_axis, c_length = ("c", (len(channels),)) if len(channels) > 1 else ("", ())
    unit = "slice" if plan.z_um(stack) is None else "µm"

    def intensity(name: str) -> ImageSpec:
        shape = (*times, *c_length, *plan.region.shape)
        axes = f"{t_axis}{c_axis}yx"
        return ImageSpec(name, axes, shape, stack.dtype, "intensity", channels=channels)

    def depth(name: str) -> ImageSpec:
        shape = (*times, *plan.region.shape)
        return ImageSpec(name, f"{t_axis}yx", shape, np.dtype(np.float32), "depth", unit)

    shape = (*times, *plan.region.shape)
    index = ImageSpec("focus_index", f"{t_axis}yx", shape, plan.index_dtype, "index")
    confidence = ImageSpec("confidence", f"{t_axis}yx", shape, np.dtype(np.float32), "confidence")
    images = [intensity("fused"), index, depth("depth"), confidence]
    if ordered:
        images.append(depth("depth_unrefined"))
    if params.projections:
        images.append(intensity("max_projection"))
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
