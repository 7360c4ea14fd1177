"""The surface in the viewer: its layer, the camera that looks at it, and the way back to 2D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from psygnal import Signal

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.heights.surface_place import SurfacePlace, surface_place
from napari_gmff._napari.layers.result_sets import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Surface

    from napari_gmff._napari.heights.height_map import HeightScale, ShownSurface
    from napari_gmff._napari.layers.saved_fusions import Fusion

Coloring = Literal["fused", "depth"]

VIEW_DIRECTION = (-1.0, -0.8, 0.25)
"""From above, over the lower edge and a little from the left; z, y, x."""

UP_DIRECTION = (1.0, -1.0, 0.0)

_ZOOM_OF_TILTED = 0.85

_WHITE = np.full((2, 2, 3), 255, np.uint8)
"""A texture that leaves colours as they are. Taken away, napari 0.9 would go on to draw with its
old coordinates, and fail when the number of vertices changes."""


@dataclass
class _Before:
    """What the viewer looked like."""

    ndisplay: int
    visible: list[Layer]
    active: Layer | None
    order: tuple[int, ...]
    point: tuple[float, ...]
    center: tuple[float, ...]
    zoom: float
    angles: tuple[float, float, float]
    orientation: Any


class SurfaceView:
    """Shows one surface at a time in 3D, and puts the viewer back as it was.

    All other layers are hidden meanwhile: in 3D napari would read whole stacks to show them. The
    layer goes when 2D comes back, because the heights of a surface, exaggerated, would stretch
    the slider of the slices.
    """

    left = Signal()
    """Emitted when the surface went, whoever ended it."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Surface | None = None
        self._before: _Before | None = None
        self._place: SurfacePlace | None = None
        self._shown: ShownSurface | None = None
        self._exaggeration = 1.0
        self._rises_towards = True
        self._coloring: Coloring = "fused"
        self._is_lit = False
        self._is_changing = False

    @property
    def is_shown(self) -> bool:
        """Whether the viewer shows a surface of ours."""
        return self._layer is not None

    @property
    def layer(self) -> Surface | None:
        """The layer of the surface."""
        return self._layer

    def show(self, result_set: Fusion, scale: HeightScale, shown: ShownSurface) -> None:
        """Show a surface, or put another in the place of the one that is there.

        Raises
        ------
        ParameterError
            If the layers of the result cannot be shown in 3D.
        """
        beneath = _layer_beneath(result_set)
        if beneath is None:
            return
        place = surface_place(beneath, scale.pixel_size_um)
        self._place, self._shown = place, shown
        if self._layer is None:
            self._enter(result_set, place, shown)
        else:
            self._exchange(result_set, place, shown)

    def set_exaggeration(self, factor: float) -> None:
        """Stretch the heights on screen, the lowest staying in place; the data stay as they are."""
        if self._layer is None or self._place is None or self._shown is None:
            self._exaggeration = factor
            return
        before = self._middle()
        self._exaggeration = factor
        self._layer.affine = self._place.affine(factor, self._shown.lowest)
        camera = camera_of(self._viewer)
        camera.center = tuple(np.add(camera.center, self._middle() - before))

    def set_rising_towards(self, towards: bool) -> None:
        """Say whether larger z is nearer to the viewer than smaller z, or farther."""
        self._rises_towards = towards
        if self.is_shown:
            self._look_from_above()

    def set_coloring(self, coloring: Coloring) -> None:
        """Show the fused image on the surface, or colours for depth."""
        self._coloring = coloring
        if self._layer is not None and self._shown is not None:
            self._layer.vertex_values = self._values(self._shown)
            self._color(self._layer, self._shown)

    def set_lit(self, is_lit: bool) -> None:
        """Light the surface, which changes how bright its colours look."""
        self._is_lit = is_lit
        if self._layer is not None:
            self._layer.shading = "smooth" if is_lit else "none"

    def on_ndisplay(self, event: object = None) -> None:
        """Notice that the user went back to 2D by napari's own button."""
        if not self._is_changing and self._before is not None and self._viewer.dims.ndisplay == 2:
            self._before.ndisplay = 2
            self.leave()

    def on_removed(self, event: Any) -> None:
        """Notice that the user deleted the surface."""
        if not self._is_changing and event.value is self._layer:
            self.leave()

    def leave(self) -> None:
        """Put back the layers, the slice and the camera of before; mostly in 2D."""
        before, layer = self._before, self._layer
        self._before = self._layer = self._place = self._shown = None
        if before is None:
            return
        viewer, camera = self._viewer, camera_of(self._viewer)
        self._is_changing = True
        try:
            if layer is not None:
                layer.visible = False  # or napari would cut it along the slice
            viewer.dims.ndisplay = before.ndisplay
            if layer is not None and layer in viewer.layers:
                viewer.layers.remove(layer)
            if len(before.order) == viewer.dims.ndim:
                viewer.dims.order = before.order
                viewer.dims.point = before.point
            camera.orientation = before.orientation
            camera.angles, camera.center, camera.zoom = before.angles, before.center, before.zoom
            for other in before.visible:
                other.visible = True
            if before.active in viewer.layers:
                viewer.layers.selection.active = before.active
        finally:
            self._is_changing = False
        self.left.emit()

    def _enter(self, result_set: Fusion, place: SurfacePlace, shown: ShownSurface) -> None:
        viewer = self._viewer
        self._is_changing = True
        try:
            self._before = _state_of(viewer)
            for other in self._before.visible:
                other.visible = False
            viewer.dims.order = tuple(range(viewer.dims.ndim))
            viewer.dims.ndisplay = 3
            self._layer = self._added(result_set, place, shown)
            self._color(self._layer, shown)
            viewer.reset_view()
            # Tilted, the corners reach further out than what was fitted to the canvas.
            camera_of(viewer).zoom *= _ZOOM_OF_TILTED
            self._look_from_above()
        finally:
            self._is_changing = False

    def _added(self, result_set: Fusion, place: SurfacePlace, shown: ShownSurface) -> Surface:
        facts = {
            "set": result_set.set_id,
            "image": "surface",
            "channel": None,
            "provenance": result_set.result.provenance,
        }
        surface = shown.surface
        return self._viewer.add_surface(
            (surface.vertices, surface.faces, self._values(shown)),
            name=f"{result_set.name} surface",
            affine=place.affine(self._exaggeration, shown.lowest),
            units=(place.unit,) * 3,
            axis_labels=("z", "y", "x"),
            shading="smooth" if self._is_lit else "none",
            metadata={METADATA_KEY: facts},
        )

    def _exchange(self, result_set: Fusion, place: SurfacePlace, shown: ShownSurface) -> None:
        layer, surface = self._layer, shown.surface
        assert layer is not None
        # Coordinates of another number of vertices would not fit the old ones, even for a moment.
        layer.texture = layer.texcoords = None
        layer.data = (surface.vertices, surface.faces, self._values(shown))
        layer.affine = place.affine(self._exaggeration, shown.lowest)
        layer.name = f"{result_set.name} surface"
        layer.metadata[METADATA_KEY]["set"] = result_set.set_id
        layer.metadata[METADATA_KEY]["provenance"] = result_set.result.provenance
        self._color(layer, shown)

    def _values(self, shown: ShownSurface) -> np.ndarray[Any, Any]:
        z = shown.surface.vertices[:, 0]
        return z if self._coloring == "depth" else np.ones(len(z), np.float32)

    def _color(self, layer: Surface, shown: ShownSurface) -> None:
        is_depth = self._coloring == "depth"
        highest = shown.highest if shown.highest > shown.lowest else shown.lowest + 1
        layer.colormap = "viridis" if is_depth else "gray"
        layer.contrast_limits = (shown.lowest, highest) if is_depth else (0.0, 1.0)
        layer.texcoords = shown.surface.texcoords
        layer.texture = _WHITE if is_depth else shown.texture

    def _look_from_above(self) -> None:
        camera = camera_of(self._viewer)
        camera.orientation = ("towards" if self._rises_towards else "away", "down", "right")
        sign = 1.0 if self._rises_towards else -1.0
        down, *across = VIEW_DIRECTION
        up, *forward = UP_DIRECTION
        camera.set_view_direction((sign * down, *across), (sign * up, *forward))

    def _middle(self) -> np.ndarray[Any, Any]:
        """Return the world position of the middle of the heights, above the first pixel."""
        assert self._place is not None
        assert self._shown is not None
        affine = self._place.affine(self._exaggeration, self._shown.lowest)
        middle = (self._shown.lowest + self._shown.highest) / 2
        return affine[:3, 0] * middle + affine[:3, 3]


def _layer_beneath(result_set: Fusion) -> Layer | None:
    depth = result_set.layers.get("depth")
    return depth[0] if depth else result_set.any_layer()


def _state_of(viewer: ViewerModel) -> _Before:
    camera = camera_of(viewer)
    return _Before(
        ndisplay=viewer.dims.ndisplay,
        visible=[layer for layer in viewer.layers if layer.visible],
        active=viewer.layers.selection.active,
        order=tuple(viewer.dims.order),
        point=tuple(viewer.dims.point),
        center=tuple(camera.center),
        zoom=camera.zoom,
        angles=tuple(camera.angles),
        orientation=camera.orientation,
    )
