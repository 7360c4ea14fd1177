"""Slice and z under the cursor, in napari's status bar, for the layers of focus maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_gmff._napari.layers.result_sets import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.components import ViewerModel
    from napari.layers import Layer


def show_slice_in_status(viewer: ViewerModel) -> None:
    """Add slice and z to what the status bar says of a focus map.

    It holds for every focus map of the viewer, opened from disk or just made; asking again changes
    nothing.

    Parameters
    ----------
    viewer : ViewerModel
        With or without a window.
    """
    viewer.events.status.connect(_complete_status)


def slice_words(provenance: Mapping[str, Any], number: int) -> str:
    """Describe a slice, such as ``"slice 12 · z 6 µm"``.

    Parameters
    ----------
    provenance : mapping
        Record of the run.
    number : int
        Slice of the source, from 0.
    """
    slices = provenance["slices"]
    words = f"slice {number}"
    if slices.get("z_um") is None or number not in slices["numbers"]:
        return words
    z_um = slices["z_um"][list(slices["numbers"]).index(number)]
    return f"{words} · z {z_um:.6g} µm"


def _complete_status(event: Any) -> None:
    """Put our words into the place of the bare number, once for each new status."""
    viewer: ViewerModel = event.source
    status = event.value
    layer = viewer.layers.selection.active
    if not isinstance(status, dict) or "coordinates" not in status or layer is None:
        return
    words = _words_under_cursor(viewer, layer)
    coordinates = str(status["coordinates"])
    if not words or coordinates.endswith(words):
        return
    # napari's own text is a position, a colon and the value (with a level where there are several).
    position, _, _ = coordinates.rpartition(": ")
    viewer.status = {**status, "coordinates": f"{position or coordinates}: {words}"}


def _words_under_cursor(viewer: ViewerModel, layer: Layer) -> str:
    facts = layer.metadata.get(METADATA_KEY)
    if not isinstance(facts, dict) or facts.get("image") != "focus_index":
        return ""
    # Of what is on the screen already: nothing is read or computed.
    value = layer.get_value(
        viewer.cursor.position, dims_displayed=list(viewer.dims.displayed), world=True
    )
    number = value[-1] if isinstance(value, tuple) else value
    return "" if number is None else slice_words(facts["provenance"], int(number))
