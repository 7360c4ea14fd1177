"""The colour bar of a depth layer: there whenever the layer is seen, and only then."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_gmff._napari.layers.result_sets import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer


def show_bar_with(depth: Image, viewer: ViewerModel) -> None:
    """Show the colour bar of a depth layer while no other layer of its result covers it.

    Where the user shows or hides the bar, that holds until layers are shown, hidden or moved.

    Parameters
    ----------
    depth : napari.layers.Image
        In the viewer. Versions of napari without colour bars are left alone.
    viewer : ViewerModel
        With or without a window.
    """
    if not hasattr(depth, "colorbar"):
        return
    # Events keep alive what their callbacks hold; a closed viewer must not be among it.
    layer_of, viewer_of = weakref.ref(depth), weakref.ref(viewer)

    def update(event: Any = None) -> None:
        layer, shown_in = layer_of(), viewer_of()
        if layer is None or shown_in is None or layer not in shown_in.layers:
            if shown_in is not None:
                shown_in.layers.events.inserted.disconnect(on_inserted)
                shown_in.layers.events.removed.disconnect(update)
                shown_in.layers.events.reordered.disconnect(update)
            return
        above = shown_in.layers[shown_in.layers.index(layer) + 1 :]
        covered = any(one.visible and _is_of_same_result(one, layer) for one in above)
        layer.colorbar.visible = not covered

    def on_inserted(event: Any) -> None:
        mine = layer_of()
        if mine is not None and _is_of_same_result(event.value, mine):
            event.value.events.visible.connect(update)
            update()

    for layer in viewer.layers:
        if _is_of_same_result(layer, depth):
            layer.events.visible.connect(update)
    viewer.layers.events.inserted.connect(on_inserted)
    viewer.layers.events.removed.connect(update)
    viewer.layers.events.reordered.connect(update)
    update()


def _is_of_same_result(one: Layer, other: Layer) -> bool:
    mine, theirs = one.metadata.get(METADATA_KEY), other.metadata.get(METADATA_KEY)
    if not isinstance(mine, dict) or not isinstance(theirs, dict):
        return False
    if mine["set"] is not None:
        return bool(mine["set"] == theirs["set"])
    return mine["provenance"] is theirs["provenance"]
