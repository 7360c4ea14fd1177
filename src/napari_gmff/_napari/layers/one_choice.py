"""Fusions that the docks cannot look into, because there is no one choice of slices; and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.stack_layers import RESTORED_KEY
from napari_gmff.export.layout import has_generated
from napari_gmff.marks import is_marked, is_of_restored

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_gmff._napari.layers.saved_fusions import Fusion


def is_generated(layer: Layer | None) -> bool:
    """Tell whether a layer shows what a generative model made, by its metadata or its name."""
    if layer is None:
        return False
    facts = layer.metadata.get(METADATA_KEY)
    return (
        is_marked(layer.name)
        or (isinstance(facts, dict) and "restored" in facts)
        or RESTORED_KEY in layer.metadata
    )


def why_no_one_choice(fusion: Fusion | None) -> str:
    """Say why a fusion has no focus map that can be inspected, corrected or measured.

    Parameters
    ----------
    fusion : ResultSet or SavedFusion or None
        What is picked.

    Returns
    -------
    str
        Sentences for the user; empty where there is one, and where nothing is picked.
    """
    if fusion is None:
        return ""
    record = fusion.result.provenance
    if has_generated(fusion.result.images, record):
        return (
            "This image was restored by a generative model, which invents plausible detail. It is "
            "no measurement: it has no focus map, no depth and no confidence, and nothing is "
            "measured on it. Pick or open the fusion that it was made from."
        )
    if is_of_restored(record):
        return (
            "The stack of this fusion was restored by a generative model, as its files say. What "
            "comes from it is no measurement: fuse the slices as the microscope wrote them."
        )
    if not fusion.result.pixels_copied:
        engine = fusion.result.provenance.get("engine", "its engine")
        return (
            f"The pixels of this fusion were computed from all slices by {engine}, and none was "
            "chosen: there is no focus map, no depth and no confidence. Fuse with an engine that "
            "copies pixels to have them."
        )
    if fusion.result.is_per_channel:
        return (
            "Each channel of this fusion was focused by itself, and has its own focus map. This "
            "dock works with one choice for all channels: fuse with all of them weighed together, "
            "or with the focus of one."
        )
    return ""
