"""The Labels layer that corrections are painted in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.common.colors import slice_colors
from napari_gmff._napari.layers.label_places import arranged, axis_names
from napari_gmff._napari.layers.result_sets import METADATA_KEY, result_sets
from napari_gmff.correction_labels import slice_numbers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels
    from napari.utils.colormaps import DirectLabelColormap
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.result_sets import ResultSet
    from napari_gmff.corrections import CorrectionTarget
    from napari_gmff.windows import Box

IMAGE = "corrections"
"""What the layer's metadata says under ``image``."""

OPACITY = 0.4
"""Lets the fused image be seen through what is painted over it."""

_MARK_COLOR = (0.0, 1.0, 0.6, 1.0)
"""Green, which no slice has: pixels that are to be filled."""

_BRUSH_PARTS = 40
"""The brush is at first so many times smaller than the image."""


def mark_label(numbers: list[int]) -> int:
    """Return the label that marks an area to be filled: one more than that of the last slice.

    Parameters
    ----------
    numbers : list of int
        Slices that may be chosen.
    """
    return max(numbers) + 2


def add_correction_layer(
    viewer: ViewerModel, result_set: ResultSet, labels: NDArray[Any], target: CorrectionTarget
) -> Labels:
    """Add the layer over the focus map of a result, ready to paint with the first slice.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layer, which becomes the active one.
    result_set : ResultSet
        The result; one of its layers must be in the viewer.
    labels : ndarray
        Axes (T)YX. The layer paints into this very array.
    target : CorrectionTarget
        What it is painted for.
    """
    over = result_set.focus_index_layer or result_set.any_layer()
    assert over is not None
    layer = viewer.add_labels(
        arranged(labels, over),
        name=f"{result_set.name} corrections",
        opacity=OPACITY,
        colormap=label_colormap(result_set),
        scale=over.scale,
        translate=over.translate,
        rotate=over.rotate,
        shear=over.shear,
        affine=over.affine,
        units=over.units,
        axis_labels=over.axis_labels,
        metadata={METADATA_KEY: layer_facts(result_set, target)},
    )
    layer.brush_size = max(10, min(labels.shape[-2:]) // _BRUSH_PARTS)
    layer.selected_label = slice_numbers(result_set.result)[0] + 1
    return layer


def layer_facts(result_set: ResultSet, target: CorrectionTarget) -> dict[str, Any]:
    """Return what the layer says of itself in its metadata."""
    return {
        "set": result_set.set_id,
        "image": IMAGE,
        "channel": None,
        "provenance": result_set.result.provenance,
        "target": target,
    }


def left_over_layer(viewer: ViewerModel, facts: dict[str, Any]) -> Labels | None:
    """Find a layer of corrections of an earlier run, whose result has gone.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are looked through.
    facts : dict
        What a layer of the new result would say of itself. Stack, region, times and slices must be
        the same: else labels would mean something else.
    """
    present = {result_set.set_id for result_set in result_sets(viewer)}
    for layer in viewer.layers:
        theirs = layer.metadata.get(METADATA_KEY)
        if (
            isinstance(theirs, dict)
            and theirs.get("image") == IMAGE
            and theirs.get("set") not in present
            and theirs.get("target") == facts["target"]
            and theirs["provenance"]["slices"]["numbers"]
            == facts["provenance"]["slices"]["numbers"]
        ):
            found: Labels = layer
            return found
    return None


def label_colormap(result_set: ResultSet) -> DirectLabelColormap:
    """Give each label the colour that the focus map shows its slice in."""
    from napari.utils.colormaps import DirectLabelColormap

    numbers = slice_numbers(result_set.result)
    colors: dict[int | None, Any] = defaultdict(lambda: np.zeros(4))
    colors[None] = colors[0] = np.zeros(4)
    shown = _colors_on_map(result_set.focus_index_layer, numbers)
    colors.update((number + 1, color) for number, color in zip(numbers, shown, strict=True))
    colors[mark_label(numbers)] = np.array(_MARK_COLOR)
    return DirectLabelColormap(color_dict=colors)


def layer_indices(layer: Labels, indices: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """Turn indices into (T)YX into those of the layer, as `layer.data_setitem` takes them."""
    own = dict(zip("tyx"[-len(indices) :], indices, strict=True))
    nothing = np.zeros_like(indices[-1])
    return tuple(own.get(name, nothing) for name in axis_names(layer))


def box_on_screen(viewer: ViewerModel, layer: Labels) -> Box:
    """Return the rows and columns of a result that are on the canvas; all of them in 3D."""
    from napari_gmff.windows import Box

    names = axis_names(layer)
    bounds = []
    for name in "yx":
        axis = names.index(name)
        first, last = 0, layer.data.shape[axis] - 1
        if viewer.dims.ndisplay == 2:
            corners = layer.corner_pixels[:, axis]
            first, last = max(int(corners[0]), first), min(int(corners[1]), last)
        bounds += [first, last + 1]
    return Box(*bounds)


def _colors_on_map(layer: Image | None, numbers: list[int]) -> NDArray[Any]:
    if layer is None:
        return np.asarray(slice_colors(len(numbers)))
    low, high = layer.contrast_limits
    along = (np.asarray(numbers, np.float64) - low) / (high - low)
    return np.asarray(layer.colormap.map(np.clip(along, 0, 1)))
