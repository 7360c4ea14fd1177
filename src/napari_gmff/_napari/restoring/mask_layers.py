"""Labels layers over a fusion that show where it is to be restored, or are painted for that."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.common.view_state import PLACE, below_drawings
from napari_gmff._napari.layers.label_places import arranged, labels_of
from napari_gmff._napari.layers.result_sets import aid_metadata, selection_kept

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion

MASK_RGBA = (1.0, 0.75, 0.0, 1.0)
"""Amber, as the banner."""

_OPACITY = 0.45
_BRUSH_PARTS = 30
"""The brush is at first so many times smaller than the image."""


def shape_of(fusion: Fusion) -> tuple[int, ...]:
    """Return the shape of a mask of a fusion, (T)YX."""
    spec = fusion.images.specs["fused"]
    return (spec.n_times, *spec.shape_yx) if "t" in spec.axes else spec.shape_yx


def add_mask_layer(
    viewer: ViewerModel, mask: NDArray[Any], over: Image, name: str, *, is_aid: bool
) -> Labels:
    """Add a mask over a layer of a fusion; what is selected stays selected.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layer.
    mask : ndarray
        Axes (T)YX; 1 where pixels may change. The layer shows this very array if it is uint8.
    over : napari.layers.Image
        Layer of the fusion.
    name : str
        Of the layer.
    is_aid : bool
        Whether the layer only helps to see, and is not to be painted in.
    """
    from napari.utils.colormaps import DirectLabelColormap

    colors: dict[int | None, Any] = defaultdict(lambda: np.array(MASK_RGBA))
    colors[None] = colors[0] = np.zeros(4)
    colors[1] = np.array(MASK_RGBA)
    with selection_kept(viewer):
        layer = viewer.add_labels(
            arranged(mask.astype(np.uint8, copy=False), over),
            name=name,
            opacity=_OPACITY,
            colormap=DirectLabelColormap(color_dict=colors),
            metadata=aid_metadata() if is_aid else {},
            **{attribute: getattr(over, attribute) for attribute in PLACE},
        )
        layer.brush_size = max(10, min(mask.shape[-2:]) // _BRUSH_PARTS)
        below_drawings(viewer, layer)
    return layer


def is_mask_of(layer: Layer, fusion: Fusion) -> bool:
    """Whether a layer is a Labels layer of the size of a fusion, and not only an aid to see."""
    from napari.layers import Labels

    shape = shape_of(fusion)
    if not isinstance(layer, Labels) or layer.metadata == aid_metadata():
        return False
    return layer.ndim >= len(shape) and labels_of(layer, len(shape)).shape == shape


def painted_mask(layer: Labels, fusion: Fusion) -> NDArray[np.bool_]:
    """Return where a layer holds any label, as (T)YX; a copy, for the work in a thread."""
    return np.asarray(labels_of(layer, len(shape_of(fusion)))) != 0
