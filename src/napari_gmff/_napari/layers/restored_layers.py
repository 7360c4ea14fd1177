"""The layers of a restoration: over the fused image, marked, and never in its place."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_gmff._napari.common.view_state import PLACE
from napari_gmff._napari.layers.label_places import arranged_image, axis_names
from napari_gmff._napari.layers.result_layers import (
    SHOWN_RESTORED,
    layer_channels,
    result_layer_kwargs,
)
from napari_gmff._napari.layers.result_sets import METADATA_KEY, selection_kept
from napari_gmff.export.display import display_limits
from napari_gmff.marks import marked, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari.components import ViewerModel

    from napari_gmff.export.layout import Geometry, ImageSpec
    from napari_gmff.live_images import LiveImages

_LOOK = ("contrast_limits", "gamma", "colormap", "blending")


def iter_add_restored_layers(
    viewer: ViewerModel,
    images: LiveImages,
    geometry: Geometry,
    provenance: Mapping[str, Any],
    name: str,
    over: list[Image],
    *,
    limits: Mapping[str, tuple[float, float]],
    first: tuple[int, int, int] = (0, 0, 0),
    set_id: str | None = None,
    suffix: str = "",
) -> Iterator[tuple[str, Image]]:
    """Add the layers of a restoration one by one above all others: napari takes 0.1 s for each.

    Only the restored image is seen at first; what is selected stays selected.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layers.
    images : LiveImages
        Pixels.
    geometry, provenance
        Of the restoration.
    name : str
        Of the stack.
    over : list of Image
        Layers of the fusion that was restored: of the fused image, one for each channel, or any.
    limits : mapping of str to tuple of float
        What is shown as dark and bright, by name of the image; see `limits_of`.
    first : tuple of int
        Time point, row and column of the fused image at which the restoration begins.
    set_id : str, optional
        Of the `RestoredSet`; None for a preview.
    suffix : str
        At the end of the layers' names, before the mark.

    Yields
    ------
    tuple of (str, Image)
        Name of the image, and the layer just added.
    """
    for image in (one for one in SHOWN_RESTORED if one in images.specs):
        spec = images.specs[image]
        for channel in layer_channels(spec, geometry):
            below = over[min(channel or 0, len(over) - 1)]
            kwargs = result_layer_kwargs(
                spec,
                geometry,
                provenance,
                name,
                channel=channel,
                set_id=set_id,
                place=place_over(below, first),
            )
            if spec.kind == "intensity" and _is_fused(below):
                kwargs |= _look_of(below)
            elif not kwargs.get("rgb"):
                kwargs["contrast_limits"] = limits[image]
            kwargs["visible"] = image == "restored"
            kwargs["name"] = _free_name(viewer, kwargs["name"], suffix, spec)
            own = "tyx" if "t" in spec.axes else "yx"
            levels = [
                arranged_image(_of_channel(level, spec, channel), below, own)
                for level in images.levels(image)
            ]
            is_pyramid = len(levels) > 1
            layer = Image(levels if is_pyramid else levels[0], multiscale=is_pyramid, **kwargs)
            with selection_kept(viewer):
                viewer.add_layer(layer)
            yield image, layer


def limits_of(images: LiveImages) -> dict[str, tuple[float, float]]:
    """Find out what to show of each image as dark and bright; for a thread.

    Parameters
    ----------
    images : LiveImages
        Filled; the coarsest level of each is looked at.
    """
    found = {}
    for name, spec in images.specs.items():
        values = np.asarray(images.levels(name)[-1], np.float64).ravel()
        found[name] = display_limits(spec, values[np.isfinite(values)])
    return found


def place_over(over: Image, first: tuple[int, int, int]) -> dict[str, Any]:
    """Say where a layer lies whose first pixel lies over another pixel of a result layer.

    Parameters
    ----------
    over : napari.layers.Image
        Layer of the result.
    first : tuple of int
        Time point, row and column of that pixel.

    Returns
    -------
    dict
        Keyword arguments of a layer with the same dimensions.
    """
    place = {name: getattr(over, name) for name in PLACE}
    begins = dict(zip("tyx", first, strict=True))
    corner = [float(begins.get(name, 0)) for name in axis_names(over)]
    at_world = np.append(np.asarray(over.data_to_world(corner)), 1.0)
    affine = np.asarray(over.affine.affine_matrix, np.float64)
    place["translate"] = tuple(np.linalg.solve(affine, at_world)[:-1])
    return place


def _free_name(viewer: ViewerModel, name: str, suffix: str, spec: ImageSpec) -> str:
    """Return a name that no layer has; napari would put a number behind the mark."""
    plain = f"{unmarked(name)}{suffix}"
    for number in count(1):
        numbered = plain if number == 1 else f"{plain} {number}"
        free = marked(numbered) if spec.is_generated else numbered
        if free not in viewer.layers:
            break
    return free


def _of_channel(level: Any, spec: ImageSpec, channel: int | None) -> Any:
    if channel is not None:
        return level[..., channel, :, :]
    return np.moveaxis(level, -3, -1) if "c" in spec.axes else level


def _is_fused(layer: Image) -> bool:
    return bool(layer.metadata.get(METADATA_KEY, {}).get("image") == "fused")


def _look_of(layer: Image) -> dict[str, Any]:
    if layer.rgb:
        return {"gamma": layer.gamma}
    return {name: getattr(layer, name) for name in _LOOK}
