"""What the page that restores says: labels, stages, and what is special about a fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_gmff._napari.common.start_panel import StartLabels
from napari_gmff._napari.layers.result_sets import ResultSet
from napari_gmff._napari.restoring.extents import PREVIEW_PX
from napari_gmff.marks import is_restored

if TYPE_CHECKING:
    from napari_gmff._napari.layers.saved_fusions import Fusion

RESTORING = StartLabels(
    start="Restore",
    start_tip="Restore the masked pixels of the whole image, or of the region chosen above, into "
    "new layers. The fused image stays as it is.",
    preview_tip=f"Restore the middle of what is in view, at most {PREVIEW_PX} × {PREVIEW_PX} "
    "pixels, with one seed, as temporary layers.",
    stages={
        "prepare": "Getting ready",
        "load": "Loading the models",
        "fuse all": "Fusing all slices",
        "fuse the rest": "Fusing without some",
        "restore": "Restoring",
        "back-project": "Pulling towards the slices",
        "check": "Comparing with the slices",
        "compare": "Comparing with all slices",
        "export": "Saving",
    },
)

NOTHING = (
    "Fuse a stack, or open a saved fusion: here a model can then repaint what no slice holds in "
    "focus."
)
_RESTORED = (
    "This is a restoration already; restoring it again would only invent more. Pick the fusion."
)
_PER_CHANNEL = (
    "Each channel of this fusion was focused by itself: each is restored where its own confidence "
    "is low. The mask shows where that is so in any of them."
)

_FROM_DISK = (
    "This fusion was opened from disk. Open its stack as well, and what is restored is compared "
    "with the slices."
)


def why_not(fusion: Fusion) -> str:
    """Say why a fusion cannot be restored; empty where it can."""
    return _RESTORED if is_restored(fusion.result.provenance) else ""


def notes_on(fusion: Fusion) -> str:
    """Say what is special about a fusion that can be restored."""
    notes = []
    if fusion.result.pixels_copied and fusion.result.is_per_channel:
        notes.append(_PER_CHANNEL)
    if not isinstance(fusion, ResultSet):
        notes.append(_FROM_DISK)
    return " ".join(notes)
