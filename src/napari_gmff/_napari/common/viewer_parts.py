"""Parts of a viewer that moved in napari 0.9, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.components.camera import Camera
    from napari.components.grid import GridCanvas


def camera_of(viewer: ViewerModel) -> Camera:
    """Return the camera, which is part of the scene since napari 0.9."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def grid_of(viewer: ViewerModel) -> GridCanvas:
    """Return the grid, which is part of the canvas since napari 0.9."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.grid if canvas is None else canvas.grid
