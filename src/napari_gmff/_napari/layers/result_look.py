"""Colours, limits and interpolation of the layers of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.common.colors import (
    MARK_COLOR,
    difference_colormap,
    slice_colormap,
    slice_limits,
)
from napari_gmff._napari.layers.stack_layers import channel_colormaps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff.export.layout import Geometry, ImageSpec

# How intensities of the source are shown is how those of the result are shown.
_DISPLAY = ("contrast_limits", "gamma", "colormap")


def look_of(
    spec: ImageSpec, geometry: Geometry, provenance: Mapping[str, Any], channel: int | None
) -> dict[str, Any]:
    """Return how an image is shown, from the result alone.

    Parameters
    ----------
    spec : ImageSpec
        Of the image.
    geometry : Geometry
        Of the result.
    provenance : mapping
        Record of the run; ``slices`` is enough.
    channel : int or None
        Of the layer, where an image needs several.

    Returns
    -------
    dict
        Keyword arguments of `add_image`, contrast limits among them: without limits, napari would
        compute pixels to find some.
    """
    nearest = {"interpolation2d": "nearest", "interpolation3d": "nearest"}
    if spec.kind == "index":
        numbers = provenance["slices"]["numbers"]
        limits = slice_limits(numbers[0], numbers[-1])
        colormap = slice_colormap(numbers[-1] - numbers[0] + 1)
        return {"contrast_limits": limits, "colormap": colormap, **nearest}
    if spec.kind == "depth":
        z, _ = z_of_slices(provenance)
        low, high = float(z.min()), float(z.max())
        limits = (low, high if high > low else low + 1.0)
        return {"contrast_limits": limits, "colormap": "viridis", **nearest}
    if spec.kind == "confidence":
        return {"contrast_limits": (0.0, 1.0), "colormap": "gray"}
    if spec.kind == "mask":
        over_image = {"colormap": MARK_COLOR, "blending": "additive", "opacity": 0.5}
        return {"contrast_limits": (0.0, 1.0), **over_image, **nearest}
    if spec.kind in ("difference", "amount"):
        return _look_of_change(spec, provenance, channel)
    if geometry.is_rgb:
        return {"rgb": True}
    limits = _measured_range(provenance, channel or 0) or _range_of_type(spec.dtype)
    colormap = channel_colormaps(spec.channels)[channel or 0]
    look: dict[str, Any] = {"contrast_limits": limits, "colormap": colormap}
    if channel is not None:
        # The lowest channel covers what lies below; the others are added to it.
        look["blending"] = "opaque" if channel == 0 else "additive"
    return look


def _look_of_change(
    spec: ImageSpec, provenance: Mapping[str, Any], channel: int | None
) -> dict[str, Any]:
    """Return colours, and limits that whoever has the pixels replaces by better ones."""
    low, high = _measured_range(provenance, channel or 0) or (0.0, 1.0)
    largest = (high - low) / 4
    if spec.kind == "difference":
        return {"contrast_limits": (-largest, largest), "colormap": difference_colormap()}
    return {"contrast_limits": (0.0, largest), "colormap": "magma"}


def look_of_source(view: StackView, channel: int | None) -> dict[str, Any]:
    """Return limits and colours of the layer that shows a channel of the source.

    Parameters
    ----------
    view : StackView
        The source.
    channel : int or None
        Number of the channel, None for the only one.
    """
    if channel is None or len(view.layers) > 1:
        source = view.layers[channel or 0]
        attributes = ("gamma",) if source.rgb else _DISPLAY
        return {attribute: getattr(source, attribute) for attribute in attributes}
    # One layer holds all channels: it has limits, but only one colour for all of them.
    return {"contrast_limits": view.layers[0].contrast_limits}


def z_of_slices(provenance: Mapping[str, Any]) -> tuple[np.ndarray[Any, Any], str]:
    """Return the positions of the slices used, in µm, or their numbers where unknown."""
    slices = provenance["slices"]
    z_um = slices.get("z_um")
    if z_um is None:
        return np.asarray(slices["numbers"], np.float64), "pixel"
    return np.asarray(z_um, np.float64), "um"


def _measured_range(provenance: Mapping[str, Any], channel: int) -> tuple[float, float] | None:
    """Return the range of a channel that the run measured on its first time point."""
    for entry in provenance.get("inputs", ()):
        if entry["channel"] == channel and entry["range"][0] < entry["range"][1]:
            return tuple(entry["range"])
    return None


def _range_of_type(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)
