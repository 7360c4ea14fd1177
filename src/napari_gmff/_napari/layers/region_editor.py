"""Picks a part of the image: all of it, or a rectangle drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Shapes

from napari_gmff._napari.common.field_editors import ChoiceEditor, text_of
from napari_gmff._napari.layers.image_boxes import box_of_rectangle

if TYPE_CHECKING:
    import napari

    from napari_gmff._napari.layers.stack_views import StackView

_DRAW = "draw"
"""Stands for the entry that makes a layer to draw on."""


class RegionEditor(ChoiceEditor):
    """The whole image, a rectangle of a Shapes layer, or the region of a parameter file.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose Shapes layers are offered.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._view: StackView | None = None
        self._typed: tuple[Any, ...] | None = None
        self._watched: Shapes | None = None
        super().__init__([("whole image", None), ("draw a rectangle…", _DRAW)])
        self.changed.connect(self._on_choice)

    def set_view(self, view: StackView | None) -> None:
        """Take another stack, to whose pixels rectangles are translated."""
        self._view = view

    def refresh(self) -> None:
        """Offer the Shapes layers that there are now."""
        shapes = [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]
        typed = [] if self._typed is None else [(f"pixels {text_of(self._typed)}", self._typed)]
        self.set_choices(
            [
                ("whole image", None),
                *((f"rectangle in {layer.name}", layer) for layer in shapes),
                *typed,
                ("draw a rectangle…", _DRAW),
            ]
        )

    def value(self) -> object:
        """Return the region ((y0, y1), (x0, x1)) in pixels, None for the whole image.

        Raises
        ------
        ParameterError
            If there is no rectangle in the chosen layer, or it lies outside the image.
        """
        chosen = self.chosen
        if not isinstance(chosen, Shapes):
            return None if chosen == _DRAW else chosen
        if self._view is None:
            return None
        box = box_of_rectangle(chosen, self._view)
        return (box.y0, box.y1), (box.x0, box.x1)

    def set_value(self, value: object) -> None:
        """Choose the whole image or pixels."""
        self._typed = None if value is None else tuple(value)  # type: ignore[arg-type]
        self.refresh()
        super().set_value(self._typed)

    def _on_choice(self) -> None:
        chosen = self.chosen
        if chosen == _DRAW:
            self._draw()
        elif chosen is not self._watched:
            self._watch(chosen if isinstance(chosen, Shapes) else None)

    def _draw(self) -> None:
        name = "region" if self._view is None else f"{self._view.name} region"
        layer = self._viewer.add_shapes(
            name=name, face_color="transparent", edge_color="#ffd24a", edge_width=2
        )
        layer.mode = "add_rectangle"
        self.refresh()
        super().set_value(layer)

    def _watch(self, layer: Shapes | None) -> None:
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_drawn)
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self._on_drawn)

    def _on_drawn(self, event: object) -> None:
        self.changed.emit()
