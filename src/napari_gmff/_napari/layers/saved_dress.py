"""What layers of saved results get from the viewer: a colour bar, and words in the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import napari

from napari_gmff._napari.layers.depth_bar import show_bar_with
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.saved_results import SAVED_KEY
from napari_gmff._napari.layers.slice_status import show_slice_in_status

if TYPE_CHECKING:
    from napari.components import ViewerModel


def dress_saved_layers(viewer: ViewerModel | None = None) -> None:
    """Dress layers of saved results as those of a fusion, as soon as they are in the viewer.

    Readers only describe layers, and napari adds them; asking again changes nothing.

    Parameters
    ----------
    viewer : ViewerModel, optional
        The current one where left out; nothing is done if there is none.
    """
    viewer = napari.current_viewer() if viewer is None else viewer
    if viewer is not None:
        show_slice_in_status(viewer)
        viewer.layers.events.inserted.connect(_on_inserted)


def _on_inserted(event: Any) -> None:
    layer, viewer = event.value, napari.current_viewer()
    facts = layer.metadata.get(METADATA_KEY)
    if viewer is None or layer not in viewer.layers or not isinstance(facts, dict):
        return
    if facts.get(SAVED_KEY) is not None and facts.get("image") == "depth":
        show_bar_with(layer, viewer)
