"""A line over the canvas: the fused image on its left, something else on its right."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_gmff._napari.common.colors import MARK_COLOR
from napari_gmff._napari.common.view_state import PLACE, ViewState, below_drawings
from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.layers.result_sets import aid_metadata, row_and_column_axes
from napari_gmff._napari.layers.slice_navigation import time_in_view

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer, Vectors
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion

_GRAB_PX = 10
"""How near to the line the pointer must be to drag it."""

_LINE_PX = 3
_LOOK = ("contrast_limits", "gamma", "interpolation2d")


class Swipe(QObject):
    """Covers the slice in view, or other layers, with the left part of the fused image.

    The part is a view of the pixels in memory: moving the line copies and reads nothing, and the
    slider and the source layers work as ever.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layers are.
    result_set : Fusion
        What is compared; its fused image must be there.
    right : sequence of Layer, optional
        What is seen on the right of the line; the source where left out, which must be there.
    fraction : float
        Where the line begins, from 0 (left) to 1.
    parent : QObject, optional
        Owner in Qt's sense.
    """

    moved = Signal(float)
    """The line was dragged: where it is, from 0 to 1."""

    def __init__(
        self,
        viewer: ViewerModel,
        result_set: Fusion,
        fraction: float = 0.5,
        *,
        right: Sequence[Layer] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._set = result_set
        self._fused = list(result_set.layers["fused"])
        self._rows, self._columns = row_and_column_axes(self._fused[0])
        self._height, self._width = result_set.images.specs["fused"].shape_yx
        levels = len(result_set.images.levels("fused"))
        # Whole pixels of the coarsest level, so that all levels end at the same place.
        self._step_px = 2 ** (levels - 1)
        self._x = self._width
        self._time = time_in_view(viewer, result_set)
        self._state = ViewState(viewer)
        selected = set(viewer.layers.selection)
        self._covers = [self._add_cover(layer) for layer in self._fused]
        self._line = self._add_line()
        shown = result_set.source_layers if right is None else right
        self._state.show_only([*shown, *self.layers])
        viewer.layers.selection = selected
        viewer.mouse_drag_callbacks.append(self._on_press)
        camera_of(viewer).events.zoom.connect(self._on_zoom)
        viewer.dims.events.point.connect(self._on_dims)
        result_set.corrected.connect(self._on_corrected)
        self.move_to(fraction)
        self._on_zoom()

    @property
    def layers(self) -> list[Layer]:
        """The layers that the swipe added and that are still there."""
        return [layer for layer in (*self._covers, self._line) if layer in self._viewer.layers]

    @property
    def fraction(self) -> float:
        """Where the line is, from 0 (left) to 1."""
        return self._x / self._width

    def move_to(self, fraction: float) -> None:
        """Move the line.

        Parameters
        ----------
        fraction : float
            Of the image's width; clipped to 0...1.
        """
        steps = round(min(max(fraction, 0.0), 1.0) * self._width / self._step_px)
        x = min(steps * self._step_px, self._width)
        if x == self._x:
            return
        self._x = x
        for cover, layer in zip(self._covers, self._fused, strict=True):
            if cover not in self._viewer.layers:
                continue
            if cover.visible != (x > 0):  # costly even where nothing changes
                cover.visible = x > 0
            if x > 0:
                cover.data = _left_part(layer, self._columns, x)
        self._place_line()

    def end(self) -> None:
        """Take the layers of the swipe away and show those that were seen before."""
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)
        self._viewer.dims.events.point.disconnect(self._on_dims)
        self._set.corrected.disconnect(self._on_corrected)
        for layer in self.layers:
            self._viewer.layers.remove(layer)
        self._state.restore()

    def _add_cover(self, layer: Image) -> Image:
        """Add a copy of a layer of the fused image, which is narrowed as the line moves."""
        look: dict[str, Any] = {name: getattr(layer, name) for name in (*PLACE, *_LOOK)}
        if layer.rgb:
            del look["contrast_limits"]
        else:
            look["colormap"] = layer.colormap
        cover = self._viewer.add_image(
            layer.data,
            multiscale=layer.multiscale,
            rgb=layer.rgb,
            name=f"{layer.name} (swipe)",
            # The first covers the slice, channels are added to one another.
            blending="opaque" if layer is self._fused[0] else "additive",
            metadata=aid_metadata(),
            **look,
        )
        below_drawings(self._viewer, cover)
        return cover

    def _add_line(self) -> Vectors:
        layer = self._fused[0]
        return self._viewer.add_vectors(
            self._line_data(),
            name=f"{self._set.name} swipe line",
            ndim=layer.ndim,
            edge_color=MARK_COLOR,
            vector_style="line",
            **{name: getattr(layer, name) for name in PLACE},
        )

    def _line_data(self) -> NDArray[np.float64]:
        """Return the line from the top of the image to its bottom, (1, 2, D)."""
        start = np.array(self._set.data_point(self._fused[0], self._time, 0, 0))
        start[self._rows], start[self._columns] = -0.5, self._x - 0.5
        along = np.zeros_like(start)
        along[self._rows] = self._height
        return np.stack([start, along])[np.newaxis]

    def _place_line(self) -> None:
        if self._line in self._viewer.layers:
            self._line.data = self._line_data()

    def _on_zoom(self) -> None:
        """Keep the line as thin on the screen, however far it is zoomed."""
        if self._line in self._viewer.layers:
            self._line.edge_width = _LINE_PX / self._screen_px()

    def _on_dims(self) -> None:
        """Draw the line at the time point that is in view."""
        time = time_in_view(self._viewer, self._set)
        if time != self._time:
            self._time = time
            self._place_line()

    def _screen_px(self) -> float:
        """Return how many pixels of the screen a column of the image is wide."""
        scale = abs(float(self._fused[0].scale[self._columns]))
        return camera_of(self._viewer).zoom * scale

    def _on_corrected(self, time: int, place: object) -> None:
        del time, place
        for cover in self._covers:
            if cover in self._viewer.layers:
                cover.refresh(thumbnail=False, extent=False)

    def _on_press(self, viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        """Drag the line, if the press is on it."""
        if event.button != 1 or abs(self._column_at(event) - self._x) > self._grab_px():
            return
        # Else the canvas would be panned along.
        event.handled = True
        yield
        while event.type == "mouse_move":
            self.move_to((self._column_at(event) + 0.5) / self._width)
            self.moved.emit(self.fraction)
            event.handled = True
            yield

    def _column_at(self, event: Any) -> float:
        return float(self._fused[0].world_to_data(event.position)[self._columns])

    def _grab_px(self) -> float:
        return _GRAB_PX / self._screen_px()


def _left_part(layer: Image, axis: int, x: int) -> Any:
    """Return views of the first columns of all levels of a layer, each half the one before."""
    levels = list(layer.data) if layer.multiscale else [layer.data]
    parts = []
    for number, level in enumerate(levels):
        stop = -(-x // 2**number)
        parts.append(level[(*(slice(None),) * axis, slice(0, stop))])
    return parts if layer.multiscale else parts[0]
