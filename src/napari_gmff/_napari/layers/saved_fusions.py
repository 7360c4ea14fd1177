"""Results that were opened from disk, with what the heights of a fusion need of a `ResultSet`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_gmff._napari.layers.result_sets import METADATA_KEY, ResultSet
from napari_gmff._napari.layers.saved_results import SAVED_KEY, SavedSet
from napari_gmff.results import FusionResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dask.array as da
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_gmff.export.layout import ImageSpec


class SavedFusion:
    """The layers of a saved result with everything behind them; its stack is not there.

    Parameters
    ----------
    saved : SavedSet
        What is on disk.
    viewer : ViewerModel
        Has its layers.

    Attributes
    ----------
    name : str
        Of the stack that was fused.
    result : FusionResult
        Record and geometry; `images` has the pixels.
    images : SavedImages
        Pixels by image name, lazily read.
    set_id : str
        Stands in the metadata of layers that are made from it.
    """

    corrected = Signal(int, object)
    """Never emitted: without its stack a result is not corrected."""

    def __init__(self, saved: SavedSet, viewer: ViewerModel) -> None:
        self.saved = saved
        self.name = saved.name
        self.set_id = uuid.uuid4().hex
        self.images = SavedImages(saved)
        self.result = FusionResult(saved.images, saved.geometry, saved.provenance, saved.path)
        self._viewer = viewer

    @property
    def layers(self) -> dict[str, list[Image]]:
        """Its layers in the viewer by image name."""
        found: dict[str, list[Image]] = {}
        for layer in self._viewer.layers:
            if saved_of(layer) is self.saved:
                found.setdefault(layer.metadata[METADATA_KEY]["image"], []).append(layer)
        return found

    def any_layer(self) -> Image | None:
        """Return a layer that is still there."""
        return next((layers[0] for layers in self.layers.values()), None)


Fusion = ResultSet | SavedFusion
"""Whatever has a depth map and layers."""


class SavedImages:
    """The pixels of a saved result, asked for in the way of `LiveImages`.

    Parameters
    ----------
    saved : SavedSet
        What is on disk.
    """

    def __init__(self, saved: SavedSet) -> None:
        self._saved = saved

    @property
    def specs(self) -> dict[str, ImageSpec]:
        """The images by name."""
        return self._saved.images

    def levels(self, name: str) -> list[da.Array]:
        """Return an image's pyramid, finest first; axes as in its spec, lazy."""
        return self._saved.levels[name]


def saved_of(layer: Layer | None) -> SavedSet | None:
    """Return the saved result that a layer was opened from, None if it was from none."""
    facts = None if layer is None else layer.metadata.get(METADATA_KEY)
    saved = facts.get(SAVED_KEY) if isinstance(facts, dict) else None
    return saved if isinstance(saved, SavedSet) and "depth" in saved.images else None


def saved_fusions(viewer: ViewerModel, known: Iterable[object] = ()) -> list[SavedFusion]:
    """Return the saved results with a depth map that have layers in a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are looked through.
    known : iterable
        Those of an earlier call among them are returned again.
    """
    old = {one.saved: one for one in known if isinstance(one, SavedFusion)}
    found = dict.fromkeys(filter(None, map(saved_of, viewer.layers)))
    return [old.get(saved) or SavedFusion(saved, viewer) for saved in found]
