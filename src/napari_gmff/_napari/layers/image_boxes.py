"""Parts of a stack's image in pixels: what is on the canvas, and rectangles drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff.errors import ParameterError
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Shapes
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.stack_views import StackView


def visible_box(viewer: ViewerModel, view: StackView) -> Box:
    """Return the part of a stack's image that is on the canvas.

    Parameters
    ----------
    viewer : ViewerModel
        Its camera counts.
    view : StackView
        The stack.

    Returns
    -------
    Box
        Within the image; all of it in 3D, where Y and X are not both displayed, and where nothing
        of it is on the canvas.
    """
    whole = Box(0, view.shape_yx[0], 0, view.shape_yx[1])
    corners = _canvas_corners(viewer)
    if corners is None or not _shows_yx(viewer, view):
        return whole
    return _box_around(corners, view) or whole


def box_of_rectangle(shapes: Shapes, view: StackView) -> Box:
    """Return the part of a stack's image that a shape encloses.

    Parameters
    ----------
    shapes : napari.layers.Shapes
        The selected shape counts, else the one drawn last; of a tilted or round one the upright
        rectangle around it.
    view : StackView
        The stack.

    Raises
    ------
    ParameterError
        If there is no shape, or it lies outside the image.
    """
    if not len(shapes.data):
        raise ParameterError(
            f"region: {shapes.name} holds no rectangle; draw one, or choose the whole image"
        )
    number = max(shapes.selected_data, default=len(shapes.data) - 1)
    corners = np.array([shapes.data_to_world(corner) for corner in shapes.data[number]])
    box = _box_around(corners, view)
    if box is None:
        raise ParameterError(f"region: the rectangle of {shapes.name} lies outside {view.name}")
    return box


def time_on_screen(viewer: ViewerModel, view: StackView) -> int:
    """Return the time point of a stack that the slider shows, from 0."""
    axis = view.axes.index("T")
    if axis is None:
        return 0
    shown = view.layers[0].world_to_data(viewer.dims.point)[axis]
    return int(np.clip(np.rint(shown), 0, view.n_times - 1))


def _canvas_corners(viewer: ViewerModel) -> NDArray[np.float64] | None:
    """Return the world positions of the canvas's four corners, None where they are unknown."""
    size = getattr(getattr(viewer, "canvas", None), "size", None)
    if viewer.dims.ndisplay != 2:
        return None
    camera = camera_of(viewer)
    center, zoom = np.asarray(camera.center[-2:]), float(camera.zoom)
    # Before 0.9 the size of the canvas is not public; what is around its centre is enough.
    half = np.asarray(size or (512 * zoom, 512 * zoom), np.float64) / zoom / 2
    corners = np.tile(np.asarray(viewer.dims.point, np.float64), (4, 1))
    signs = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    corners[:, list(viewer.dims.displayed)] = center + signs * half
    return corners


def _shows_yx(viewer: ViewerModel, view: StackView) -> bool:
    """Whether rows and columns of the stack are what the canvas shows."""
    offset = viewer.dims.ndim - view.layer.ndim
    shown = {axis - offset for axis in viewer.dims.displayed}
    return shown == {view.axes.index("Y"), view.axes.index("X")}


def _box_around(world: NDArray[np.float64], view: StackView) -> Box | None:
    """Return the upright box around world positions, None where it misses the image."""
    data = np.array([view.layers[0].world_to_data(point) for point in world])
    bounds = []
    for letter, length in zip("YX", view.shape_yx, strict=True):
        along = data[:, view.axes.index(letter)] + 0.5  # pixel k reaches from k to k + 1
        start, stop = max(round(along.min()), 0), min(round(along.max()), length)
        if start >= stop:
            return None
        bounds += [start, stop]
    return Box(*bounds)
