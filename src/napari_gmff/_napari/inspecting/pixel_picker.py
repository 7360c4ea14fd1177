"""The pixel under the pointer, and the pixel that was clicked and is marked."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_gmff._napari.common.colors import MARK_COLOR
from napari_gmff._napari.common.links import Links
from napari_gmff._napari.common.view_state import PLACE
from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.layers.result_sets import row_and_column_axes

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Vectors
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion

Pixel = tuple[int, int, int]
"""Time point, row and column of a result."""

HOVER_MS = 40
"""Between two looks at what is under the pointer."""

_CLICK_PX = 4
"""A pointer that moved further between press and release was dragged."""

_MARKER_PX = 14
"""Side of the mark on the screen."""

_LINE_PX = 3
_CORNERS = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)])


class PixelPicker(QObject):
    """Follows the pointer over a result, and marks the pixel that is clicked.

    It watches the mouse between `start` and `stop` only. A click counts where the active layer
    has no use for it, such as a brush; it never changes which layer is active.

    Parameters
    ----------
    viewer : ViewerModel
        Whose mouse is followed.
    parent : QObject, optional
        Owner in Qt's sense.
    """

    hovered = Signal(object)
    """The `Pixel` under the pointer, None outside the result; not oftener than `HOVER_MS`."""
    clicked = Signal(object)
    """The `Pixel` that was clicked."""

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._set: Fusion | None = None
        self._marker: Vectors | None = None
        self._pixel: Pixel | None = None
        self._zoom = Links()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(HOVER_MS)
        self._timer.timeout.connect(self._look)
        self._is_watching = False

    @property
    def marker(self) -> Vectors | None:
        """The layer of the mark, None where no pixel is marked.

        Four lines: napari's first points cost twice as long, for fonts and a shader of their own.
        """
        return self._marker if self._marker in self._viewer.layers else None

    def use(self, result_set: Fusion | None) -> None:
        """Look at another result, or at none; the mark of the old one goes."""
        if result_set is not self._set:
            self.unmark()
        self._set = result_set

    def start(self) -> None:
        """Begin to watch the mouse."""
        if not self._is_watching:
            self._is_watching = True
            self._viewer.mouse_move_callbacks.append(self._on_move)
            self._viewer.mouse_drag_callbacks.append(self._on_press)

    def stop(self) -> None:
        """Leave the mouse alone."""
        if self._is_watching:
            self._is_watching = False
            self._timer.stop()
            self._viewer.mouse_move_callbacks.remove(self._on_move)
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def mark(self, pixel: Pixel) -> None:
        """Put the mark on a pixel."""
        layer = None if self._set is None else self._set.any_layer()
        if layer is None or self._set is None:
            return
        self._pixel = pixel
        if self.marker is not None:
            self._draw_mark()
            return
        selected = set(self._viewer.layers.selection)
        self._marker = self._viewer.add_vectors(
            self._outline(layer),
            name=f"{self._set.name} pixel",
            ndim=layer.ndim,
            edge_color=MARK_COLOR,
            edge_width=_LINE_PX / self._screen_px(layer),
            vector_style="line",
            **{name: getattr(layer, name) for name in PLACE},
        )
        # Whoever paints or picks layers must not be thrown out of it by a click.
        self._viewer.layers.selection = selected
        self._zoom.cut()
        self._zoom.add(camera_of(self._viewer).events.zoom, self._draw_mark)

    def unmark(self) -> None:
        """Take the mark away."""
        self._zoom.cut()
        marker, self._marker = self.marker, None
        if marker is not None:
            self._viewer.layers.remove(marker)

    def _draw_mark(self, event: object = None) -> None:
        """Draw the mark where it belongs, as large on the screen as ever."""
        marker = self.marker
        if marker is not None:
            marker.data = self._outline(marker)
            marker.edge_width = _LINE_PX / self._screen_px(marker)

    def _outline(self, layer: Layer) -> NDArray[np.float64]:
        """Return the sides of a square round the pixel in data coordinates, (4, 2, D)."""
        assert self._set is not None and self._pixel is not None
        corners = np.tile(self._set.data_point(layer, *self._pixel), (4, 1))
        side = _MARKER_PX / self._screen_px(layer)
        corners[:, list(row_and_column_axes(layer))] += side * _CORNERS
        return np.stack([corners, np.roll(corners, -1, axis=0) - corners], axis=1)

    def _screen_px(self, layer: Layer) -> float:
        """Return how many pixels of the screen a column of the image is wide."""
        scale = abs(float(layer.scale[row_and_column_axes(layer)[1]]))
        return camera_of(self._viewer).zoom * scale

    def _on_move(self, viewer: ViewerModel, event: Any) -> None:
        del viewer, event
        if not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        self.hovered.emit(self._pixel_under_pointer())

    def _pixel_under_pointer(self) -> Pixel | None:
        if self._set is None or self._viewer.dims.ndisplay != 2:
            return None
        return self._set.pixel_at(self._viewer.cursor.position)

    def _on_press(self, viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        active = viewer.layers.selection.active
        is_free = active is None or str(getattr(active, "mode", "pan_zoom")) == "pan_zoom"
        if self._set is None or event.button != 1 or event.modifiers or not is_free:
            return
        pressed = event.pos
        yield
        while event.type == "mouse_move":
            yield
        moved = max(abs(a - b) for a, b in zip(event.pos, pressed, strict=True))
        pixel = self._pixel_under_pointer() if moved <= _CLICK_PX else None
        if pixel is not None:
            self.clicked.emit(pixel)
