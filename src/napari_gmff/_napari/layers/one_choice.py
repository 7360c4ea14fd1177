"""Fusions that the docks cannot look into, because there is no one choice of slices; and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_gmff._napari.layers.saved_fusions import Fusion


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
