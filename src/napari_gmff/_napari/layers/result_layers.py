"""The layers of a result: what each shows, in which colours, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_gmff._napari.layers.depth_bar import show_bar_with
from napari_gmff._napari.layers.layer_stacks import result_transform, shown_array
from napari_gmff._napari.layers.result_look import look_of, look_of_source, z_of_slices
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff.export.source_type import mark_attributes
from napari_gmff.marks import RESTORATION_KEY, marked, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari.components import ViewerModel

    from napari_gmff._napari.layers.layer_stacks import StackView
    from napari_gmff.export.layout import Geometry, ImageSpec
    from napari_gmff.live_images import LiveImages

SHOWN = ("confidence", "depth", "focus_index", "max_projection", "fused")
"""Images that become layers, from the bottom of the layer list to its top."""

SHOWN_RESTORED = (
    "contradiction",
    "spread",
    "abs_difference",
    "difference",
    "restored_mean",
    "restored",
    "restoration_mask",
)
"""The same of a restoration, over the fused image; the mask is transparent and on top."""

HIDDEN = (
    "confidence",
    "max_projection",
    *(image for image in SHOWN_RESTORED if image != "restored"),
)
"""Layers that are there but not seen at first."""


def layer_channels(spec: ImageSpec, geometry: Geometry) -> list[int | None]:
    """Tell which layers an image needs: one for each channel number, or a single None."""
    if "c" not in spec.axes or (geometry.is_rgb and spec.kind == "intensity"):
        return [None]
    return list(range(spec.n_channels))


def layer_levels(
    spec: ImageSpec,
    geometry: Geometry,
    levels: Sequence[Any],
    channel: int | None,
    view: StackView | None = None,
) -> list[Any]:
    """Return the pyramid of one layer as views of an image's pyramid.

    Parameters
    ----------
    spec : ImageSpec
        Of the image.
    geometry : Geometry
        Of the result; says whether channels are colour samples.
    levels : sequence of ndarray or dask array
        Finest first, axes as in `spec`.
    channel : int or None
        One of `layer_channels`.
    view : StackView, optional
        What was fused, whose order of axes the layer then has.

    Returns
    -------
    list of array
        Without a view axes YX, or (T, 1, Y, X): napari aligns axes from the last, so that T needs
        an axis of length 1 beside it where the source has Z. Colour samples come last.
    """
    has_time = "t" in spec.axes
    if channel is not None:
        levels = [level[..., channel, :, :] for level in levels]
    elif "c" in spec.axes:
        levels = [np.moveaxis(level, -3, -1) for level in levels]
    if view is not None:
        return [shown_array(view, level, has_time=has_time) for level in levels]
    return [level[:, np.newaxis] for level in levels] if has_time else list(levels)


def result_layer_kwargs(
    spec: ImageSpec,
    geometry: Geometry,
    provenance: Mapping[str, Any],
    name: str,
    *,
    channel: int | None = None,
    set_id: str | None = None,
    place: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the keyword arguments of `add_image` for one layer of a result.

    Parameters
    ----------
    spec : ImageSpec
        Of the image.
    geometry : Geometry
        Of the result.
    provenance : mapping
        Record of the run; of one that still goes on, ``slices`` with ``numbers`` and ``z_um`` is
        enough.
    name : str
        Of the stack.
    channel : int, optional
        One of `layer_channels`.
    set_id : str, optional
        Of the `ResultSet`; None for layers of a result opened from disk.
    place : mapping, optional
        Scale, translate, units ... of the layer; from `geometry` where left out.

    Returns
    -------
    dict
        Without data. Contrast limits are given for every image, so that nothing is computed. The
        name of what a model made ends with the mark, and its metadata have the key ``restored``.
    """
    title = f"{name} {unmarked(spec.title)}"
    if channel is not None:
        title = f"{title} {unmarked(spec.channels[channel].name)}"
    facts = {
        "set": set_id,
        "image": spec.name,
        "channel": channel,
        "provenance": provenance,
        **mark_attributes(spec, provenance.get(RESTORATION_KEY)),
    }
    return {
        "name": marked(title) if spec.is_generated else title,
        "visible": spec.name not in HIDDEN,
        "metadata": {METADATA_KEY: facts},
        **look_of(spec, geometry, provenance, channel),
        **(place or place_of_result(spec, geometry, provenance)),
    }


def place_of_result(
    spec: ImageSpec, geometry: Geometry, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Say where a layer lies, from the result alone.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``units`` and ``axis_labels``, µm where the pixel size is known.
        The Z axis beside T is one voxel as thick as the stack, and so meets all its slices.
    """
    y_um, x_um = geometry.pixel_size_um
    is_known = y_um is not None and x_um is not None
    unit = "um" if is_known else "pixel"
    scale = [y_um or 1.0, x_um or 1.0] if is_known else [1.0, 1.0]
    origin = list(geometry.origin_um) if is_known else [0.0, 0.0]
    place = {"scale": scale, "translate": origin, "units": [unit] * 2, "axis_labels": ["y", "x"]}
    if "t" not in spec.axes:
        return place
    z, z_unit = z_of_slices(provenance)
    thickness = (float(np.ptp(z)) * len(z) / max(len(z) - 1, 1)) or 1.0
    return {
        "scale": [1.0, thickness, *scale],
        "translate": [0.0, float(z.min() + z.max()) / 2, *origin],
        "units": ["pixel", z_unit, unit, unit],
        "axis_labels": ["t", "z", "y", "x"],
    }


def add_result_layers(
    viewer: ViewerModel,
    images: LiveImages,
    geometry: Geometry,
    provenance: Mapping[str, Any],
    name: str,
    *,
    view: StackView | None = None,
    first: tuple[int, int, int] = (0, 0, 0),
    set_id: str | None = None,
) -> dict[str, list[Image]]:
    """Add the layers of a result to a viewer, the fused image on top.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layers; what is selected stays selected.
    images : LiveImages
        Pixels, which may still be coming in.
    geometry, provenance, name, set_id
        As for `result_layer_kwargs`.
    view : StackView, optional
        What was fused: the layers lie exactly over its layers, and the fused image is shown with
        their colours and limits.
    first : tuple of int
        Time point, row and column of the source at which the result begins.

    Returns
    -------
    dict of str to list of Image
        Layers by image name, the fused image first; several for the channels of an image.
    """
    added: dict[str, list[Image]] = {}
    for image, layer in iter_add_result_layers(
        viewer, images, geometry, provenance, name, view=view, first=first, set_id=set_id
    ):
        added.setdefault(image, []).append(layer)
    return added


def iter_add_result_layers(
    viewer: ViewerModel,
    images: LiveImages,
    geometry: Geometry,
    provenance: Mapping[str, Any],
    name: str,
    *,
    view: StackView | None = None,
    first: tuple[int, int, int] = (0, 0, 0),
    set_id: str | None = None,
) -> Iterator[tuple[str, Image]]:
    """Add the layers one by one: napari takes some 0.1 s for each.

    Parameters
    ----------
    viewer, images, geometry, provenance, name, view, first, set_id
        As for `add_result_layers`.

    Yields
    ------
    tuple of (str, Image)
        Name of the image, and the layer just added: the fused image first, each other one below
        those before it.
    """
    added: list[Image] = []
    for image in (one for one in reversed(SHOWN) if one in images.specs):
        spec = images.specs[image]
        has_time = "t" in spec.axes
        place = None if view is None else result_transform(view, has_time=has_time, first=first)
        bottom = _lowest(viewer, added)
        for number, channel in enumerate(layer_channels(spec, geometry)):
            levels = layer_levels(spec, geometry, images.levels(image), channel, view)
            kwargs = result_layer_kwargs(
                spec, geometry, provenance, name, channel=channel, set_id=set_id, place=place
            )
            if view is not None and spec.kind == "intensity":
                kwargs |= look_of_source(view, channel)
            is_pyramid = len(levels) > 1
            layer = Image(levels if is_pyramid else levels[0], multiscale=is_pyramid, **kwargs)
            selected = set(viewer.layers.selection)
            viewer.layers.insert(bottom + number, layer)
            viewer.layers.selection = selected
            added.append(layer)
            if spec.kind == "depth":
                show_bar_with(layer, viewer)
            yield image, layer


def _lowest(viewer: ViewerModel, layers: Sequence[Image]) -> int:
    """Return the place of the lowest of some layers, the top where none is there any more."""
    places = [viewer.layers.index(layer) for layer in layers if layer in viewer.layers]
    return min(places, default=len(viewer.layers))
