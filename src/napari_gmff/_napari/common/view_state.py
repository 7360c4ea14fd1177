"""Which layers are seen, and in which order: changed for a while, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari.layers import Image

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Attributes of a layer that say where it lies; a layer over another one takes them over."""


class ViewState:
    """Remembers visibility and order of the layers of a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are remembered as they are now.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._visible = {layer: layer.visible for layer in viewer.layers}
        self._order = list(viewer.layers)

    def show_only(self, layers: Sequence[Layer], *, keep_drawings: bool = True) -> None:
        """Show some layers and hide the others.

        Parameters
        ----------
        layers : sequence of Layer
            To be shown.
        keep_drawings : bool
            Leave what is no image, such as points and shapes, as it is.
        """
        for layer in self._viewer.layers:
            if layer in layers or isinstance(layer, Image) or not keep_drawings:
                layer.visible = layer in layers

    def put_first(self, layers: Sequence[Layer]) -> None:
        """Move layers to the bottom of the list, in this order."""
        rest = [layer for layer in self._viewer.layers if layer not in layers]
        _reorder(self._viewer, [*layers, *rest])

    def restore(self) -> None:
        """Put everything back; layers that came since stay as they are, above the others."""
        there = list(self._viewer.layers)
        for layer, was_visible in self._visible.items():
            if layer in there:
                layer.visible = was_visible
        known = [layer for layer in self._order if layer in there]
        new = [layer for layer in there if layer not in self._visible]
        _reorder(self._viewer, [*known, *new])


def below_drawings(viewer: ViewerModel, layer: Layer) -> None:
    """Move the top layer below points, shapes and other drawings that lie over the images.

    Parameters
    ----------
    viewer : ViewerModel
        To which the layer was just added.
    layer : Layer
        An image, which would hide them.
    """
    place = len(viewer.layers) - 1
    while place > 0 and not isinstance(viewer.layers[place - 1], Image):
        place -= 1
    viewer.layers.move(viewer.layers.index(layer), place)


def _reorder(viewer: ViewerModel, wanted: Sequence[Layer]) -> None:
    for place, layer in enumerate(wanted):
        now = viewer.layers.index(layer)
        if now != place:
            viewer.layers.move(now, place)
