"""`RestoredSet`: what a restoration put into the viewer; never a fusion, never measured."""

from __future__ import annotations

import uuid
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_gmff._napari.layers.result_sets import (
    METADATA_KEY,
    make_findable,
    owner_with_id,
    sets_of_kind,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_gmff._napari.layers.result_sets import ResultSets
    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff.live_images import LiveImages
    from napari_gmff.restoration_result import RestorationResult


@dataclass(eq=False)
class RestoredSet:
    """The layers of one restoration with what is behind them.

    Attributes
    ----------
    name : str
        Of the stack.
    result : RestorationResult
        The complete result on disk: what is saved.
    images : LiveImages
        The same pixels in memory: what the layers show.
    source : weakref.ref
        Gives the fusion that was restored, None once nobody has it any more.
    layers : dict of str to list of Image
        By image name; several for the channels of an image.
    set_id : str
        Stands in the metadata of the layers.
    """

    name: str
    result: RestorationResult
    images: LiveImages
    source: weakref.ref[Fusion]
    layers: dict[str, list[Image]] = field(default_factory=dict)
    set_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        """Make the set findable from its layers."""
        make_findable(self)

    @property
    def fusion(self) -> Fusion | None:
        """The fusion that was restored, None if it is not in the viewer any more."""
        fusion = self.source()
        return fusion if fusion is not None and fusion.any_layer() is not None else None

    def all_layers(self) -> list[Image]:
        """Return its layers that are still there, from the first image to the last."""
        return [layer for layers in self.layers.values() for layer in layers]

    def any_layer(self) -> Image | None:
        """Return a layer that is still there."""
        return next(iter(self.all_layers()), None)

    def forget(self, layer: Layer) -> None:
        """Take a layer off that the user deleted."""
        for layers in self.layers.values():
            if layer in layers:
                layers.remove(layer)

    def close(self) -> None:
        """Delete the temporary result."""
        self.result.close()


def restored_sets(viewer: ViewerModel) -> ResultSets[RestoredSet]:
    """Return the restorations of a viewer; one leaves with the last of its layers."""
    return sets_of_kind(viewer, "restored")


def restored_set_of(layer: Layer | None) -> RestoredSet | None:
    """Return the restoration that a layer belongs to, None if it belongs to none."""
    facts: Any = None if layer is None else layer.metadata.get(METADATA_KEY)
    owner = owner_with_id(facts.get("set")) if isinstance(facts, dict) else None
    return owner if isinstance(owner, RestoredSet) else None
