"""Results that were opened from disk, with what docks need of a `ResultSet` besides the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_gmff._napari.layers.result_sets import METADATA_KEY, FusionLayers, ResultSet
from napari_gmff._napari.layers.saved_results import SAVED_KEY, SavedSet, shown_names
from napari_gmff.export.layout import has_generated
from napari_gmff.failures import reading
from napari_gmff.live_images import LiveImages
from napari_gmff.results import FusionResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import dask.array as da
    from napari.components import ViewerModel
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec

IMAGES = ("fused", "focus_index", "depth", "confidence")
"""What each fusion has."""


class SavedFusion(FusionLayers):
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
        Pixels by image name, read lazily until they are fetched.
    source_layers : list of Image
        Always empty: what the slices look like is not known.
    z_axis : None
        As for a `ResultSet`.
    set_id : str
        Stands in the metadata of layers that are made from it.
    """

    corrected = Signal(int, object)
    """Never emitted: without its stack a result is not corrected."""

    def __init__(self, saved: SavedSet, viewer: ViewerModel) -> None:
        self.saved = saved
        self.name = saved.name
        self.set_id = saved.set_id
        self.images = SavedImages(saved)
        self.source_layers: list[Image] = []
        self.z_axis: int | None = None
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

    @property
    def needs_stack(self) -> str:
        """What cannot be done without the stack, and how it can, in words."""
        source = self.result.provenance["source"]["name"]
        return (
            "This result was opened from disk. Focus curves, comparing and correcting need its "
            f"stack: open {source} and press Fuse."
        )


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
        self._fetched: LiveImages | None = None

    @property
    def is_fetched(self) -> bool:
        """Whether the pixels are in memory: the window's thread may ask for no others."""
        return self._fetched is not None

    def fetch(self) -> None:
        """Read all that is shown into memory, as it is after a fusion; for a thread.

        Raises
        ------
        SourceError
            If an image cannot be read.
        """
        names = shown_names(self._saved.images)
        with reading(str(self._saved.path)):
            live = LiveImages(self._saved.images[name] for name in names)
            for name in names:
                for time, place, block in self._saved.iter_blocks(name):
                    live.put(name, time, place, block)
        self._fetched = live

    @property
    def specs(self) -> dict[str, ImageSpec]:
        """The images by name."""
        return self._saved.images

    def levels(self, name: str) -> Sequence[da.Array | NDArray[Any]]:
        """Return an image's pyramid, finest first; axes as in its spec, lazy until fetched."""
        if self._fetched is not None and name in self._fetched.specs:
            return self._fetched.levels(name)
        return self._saved.levels[name]


def saved_of(layer: Layer | None) -> SavedSet | None:
    """Return the saved fusion that a layer was opened from, None if it was from none."""
    facts = None if layer is None else layer.metadata.get(METADATA_KEY)
    saved = facts.get(SAVED_KEY) if isinstance(facts, dict) else None
    if not isinstance(saved, SavedSet):
        return None
    # Of these there is no depth; they are offered all the same, so that docks can say why.
    is_blend = not saved.provenance.get("pixels_copied", True)
    is_generated = has_generated(saved.images, saved.provenance)
    return saved if is_blend or is_generated or "depth" in saved.images else None


def is_partial(fusion: Fusion | None) -> bool:
    """Whether images are missing that each fusion has: single ones can be saved too."""
    return fusion is not None and not set(IMAGES) <= set(fusion.images.specs)


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
