"""The line that heights are measured along: a layer of shapes, drawn with napari's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_gmff._napari.common.links import Links
from napari_gmff._napari.heights.surface_place import line_place
from napari_gmff._napari.layers.result_sets import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Shapes
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion

_LINE_COLOR = "#ff8c00"


class ProfileLine:
    """Finds, makes and watches the layer "<name> profile" of a result.

    The line is the selected shape of the layer, or else the one drawn last.

    Parameters
    ----------
    viewer : ViewerModel
        Has the layer.
    """

    changed = Signal()
    """Another line, or none, is to be measured."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Shapes | None = None
        self._set: Fusion | None = None
        self._axes = (0, 1)
        self._links = Links()

    @property
    def layer(self) -> Shapes | None:
        """The layer of lines; None where there is none yet."""
        return self._layer

    def use(self, result_set: Fusion | None) -> None:
        """Watch the lines of another result, or none."""
        self._watch(None)
        self._set = result_set
        if result_set is not None:
            found = (layer for layer in self._viewer.layers if _is_line_of(layer, result_set))
            self._watch(next(found, None))
        self.changed.emit()

    def draw(self) -> None:
        """Let the user draw a line with the mouse."""
        beneath = None if self._set is None else self._set.any_layer()
        if self._set is None or beneath is None:
            return
        if self._layer is None:
            kwargs, _ = line_place(beneath)
            self._watch(
                self._viewer.add_shapes(
                    name=f"{self._set.name} profile",
                    edge_color=_LINE_COLOR,
                    edge_width=_edge_width_px(beneath),
                    metadata={METADATA_KEY: self._facts(self._set)},
                    **kwargs,
                )
            )
        assert self._layer is not None
        self._layer.visible = True
        self._viewer.layers.selection.active = self._layer
        self._layer.mode = "add_line"

    def points_px(self) -> NDArray[np.float64] | None:
        """Return rows and columns of the line's corners, (M, 2); None where there is no line."""
        layer = self._layer
        if layer is None or not len(layer.data):
            return None
        number = max(layer.selected_data, default=len(layer.data) - 1)
        if number >= len(layer.data):
            return None
        corners = np.asarray(layer.data[number], np.float64)
        if layer.shape_type[number] not in ("line", "path"):
            corners = np.concatenate([corners, corners[:1]])  # around an area, back to its start
        return corners[:, list(self._axes)]

    def on_removed(self, event: Any) -> None:
        """Notice that the user deleted the layer."""
        if event.value is self._layer:
            self._watch(None)
            self.changed.emit()

    def _facts(self, result_set: Fusion) -> dict[str, Any]:
        return {
            "set": result_set.set_id,
            "image": "profile",
            "channel": None,
            "provenance": result_set.result.provenance,
        }

    def _watch(self, layer: Shapes | None) -> None:
        self._links.cut()
        if layer is not None:
            self._links.add(layer.events.data, self._on_drawn)
            selected = getattr(layer.selected_data, "events", None)
            if selected is not None:
                self._links.add(selected.items_changed, self._on_drawn)
        self._layer = layer
        beneath = None if self._set is None else self._set.any_layer()
        if layer is not None and beneath is not None:
            _, self._axes = line_place(beneath)

    def _on_drawn(self, *_: object) -> None:
        self.changed.emit()


def _is_line_of(layer: Any, result_set: Fusion) -> bool:
    facts = layer.metadata.get(METADATA_KEY)
    if not isinstance(facts, dict) or facts.get("image") != "profile":
        return False
    return bool(facts.get("set") == result_set.set_id)


def _edge_width_px(layer: Any) -> float:
    """Return a width that is seen on the whole image, and hides little of it."""
    data = layer.data[0] if layer.multiscale else layer.data
    return max(1.0, max(data.shape[-3:]) / 400)
