"""Which slice of a stack is in view, and how to bring another there, in world coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff._napari.layers.layer_stacks import understood
from napari_gmff._napari.layers.result_sets import time_axis

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_gmff._napari.layers.result_sets import FusionLayers
    from napari_gmff._napari.layers.saved_fusions import Fusion


def can_go_to_slices(viewer: ViewerModel, result_set: Fusion) -> bool:
    """Whether the viewer has a slider along the slices of the stack."""
    return _slider(viewer, result_set) is not None


def go_to_slice(viewer: ViewerModel, result_set: Fusion, number: int) -> bool:
    """Move the slider to a slice of the stack.

    The place comes from the layer of the stack, so that it holds for any step, origin and
    direction, and beside layers with another step.

    Parameters
    ----------
    viewer : ViewerModel
        Its `dims` are moved.
    result_set : ResultSet or SavedFusion
        Whose stack is meant.
    number : int
        Slice of the source, from 0.

    Returns
    -------
    bool
        False where there is no slider along the slices: the stack's layer was removed, or its
        slices are seen from the side.
    """
    found = _slider(viewer, result_set)
    if found is None:
        return False
    layer, z_axis, dim = found
    point = np.array(layer.world_to_data(viewer.dims.point), np.float64)
    point[z_axis] = number
    viewer.dims.set_point(dim, float(layer.data_to_world(point)[z_axis]))
    return True


def slice_in_view(viewer: ViewerModel, result_set: Fusion) -> int | None:
    """Return the number of the slice that the slider stands on, None where there is none.

    Parameters
    ----------
    viewer : ViewerModel
        Its `dims` count.
    result_set : ResultSet or SavedFusion
        Whose stack is meant.
    """
    found = _slider(viewer, result_set)
    if found is None:
        return None
    layer, z_axis, _ = found
    number = int(np.floor(layer.world_to_data(viewer.dims.point)[z_axis] + 0.5))
    full = layer.data[0] if layer.multiscale else layer.data
    return number if 0 <= number < full.shape[z_axis] else None


def time_in_view(viewer: ViewerModel, result_set: FusionLayers) -> int:
    """Return the time point of the result that is in view, from 0.

    Parameters
    ----------
    viewer : ViewerModel
        Its `dims` count.
    result_set : ResultSet or SavedFusion
        Whose time points are meant; 0 where it has but one.
    """
    n_times = next(iter(result_set.result.images.values())).n_times
    layer = result_set.any_layer()
    if layer is None or n_times == 1:
        return 0
    time = int(np.floor(layer.world_to_data(viewer.dims.point)[time_axis(layer)] + 0.5))
    return min(max(time, 0), n_times - 1)


def _slider(viewer: ViewerModel, result_set: Fusion) -> tuple[Image, int, int] | None:
    """Return a layer of the stack, its Z dimension, and the same among the viewer's."""
    for layer in result_set.source_layers:
        z_axis = result_set.z_axis
        if z_axis is None:
            z_axis = understood(layer).axes.z_axis
        if z_axis is None or layer not in viewer.layers:
            continue
        # napari counts the dimensions of layers from the last.
        dim = viewer.dims.ndim - layer.ndim + z_axis
        if dim not in viewer.dims.displayed:
            return layer, z_axis, dim
    return None
