"""`ResultSet`: what a fusion put into the viewer, and how to find it again from a layer."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from psygnal import Signal

from napari_gmff._napari.common.real_viewer import real_viewer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_gmff._napari.correcting.correction_session import CorrectionSession
    from napari_gmff.live_images import LiveImages, Place
    from napari_gmff.params import FuseParams
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

METADATA_KEY = "gmff"
"""Key of `layer.metadata` under which our layers say what they are.

The value is a dict: ``set`` (id of the `ResultSet`, or None), ``image`` (name of the image, such
as ``"focus_index"``), ``channel`` (number, or None), ``provenance`` (the record of the run). What a
generative model made has also ``restored`` (`napari_gmff.marks.mark_facts`).
"""

_ALL: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_OF_VIEWERS: dict[tuple[int, str], ResultSets[Any]] = {}


class FusionLayers:
    """Where the pixels of a fusion lie in its layers, whether fresh or opened from disk."""

    result: FusionResult

    def any_layer(self) -> Image | None:
        """Return a layer that is still there."""
        raise NotImplementedError

    def pixel_at(
        self, world: tuple[float, ...] | np.ndarray[Any, Any]
    ) -> tuple[int, int, int] | None:
        """Return time point, row and column of a world position; None outside the result.

        Parameters
        ----------
        world : sequence of float
            As `viewer.cursor.position`: one number for each dimension of the viewer.
        """
        layer = self.any_layer()
        if layer is None:
            return None
        point = np.asarray(layer.world_to_data(tuple(world)))
        if getattr(layer, "rgb", False) and len(point) > layer.ndim:
            point = point[: layer.ndim]
        # Where Z comes last in the source, it does so in the result.
        rows, columns = row_and_column_axes(layer)
        y, x = (int(np.floor(point[axis] + 0.5)) for axis in (rows, columns))
        image = next(iter(self.result.images.values()))
        (height, width), times = image.shape_yx, image.n_times
        # A layer with time points may have an axis Z between T and Y.
        time = int(np.floor(point[time_axis(layer)] + 0.5)) if times > 1 else 0
        inside = 0 <= y < height and 0 <= x < width and 0 <= time < times
        return (time, y, x) if inside else None

    def data_point(self, layer: Layer, time: int, y: int, x: int) -> tuple[float, ...]:
        """Return where a pixel of the result lies in one of our layers, in its data coordinates.

        Parameters
        ----------
        layer : napari.layers.Layer
            Of this fusion, or with the same axes.
        time, y, x : int
            Time point, row and column of the result.
        """
        point = [0.0] * layer.ndim
        rows, columns = row_and_column_axes(layer)
        point[rows], point[columns] = float(y), float(x)
        if next(iter(self.result.images.values())).n_times > 1:
            point[time_axis(layer)] = float(time)
        return tuple(point)


@dataclass(eq=False)
class ResultSet(FusionLayers):
    """The layers of one fusion with everything behind them.

    Attributes
    ----------
    name : str
        Of the stack.
    stack : FocusStack
        What was fused; stays open as long as the set is in the viewer.
    params : FuseParams
        Of the run.
    result : FusionResult
        The complete result on disk: what is saved.
    images : LiveImages
        The same pixels in memory: what the layers show.
    source_layers : list of Image
        Layers that show the stack, one for each channel; empty where there are none.
    layers : dict of str to list of Image
        Our layers by image name; several for the channels of an image.
    set_id : str
        Stands in the metadata of the layers.
    z_axis : int or None
        Dimension of the source layers along which the slices lie, as the user said; None where
        the layers say it themselves.
    correcting : CorrectionSession or None
        Where the focus map is being corrected by hand.
    """

    name: str
    stack: FocusStack
    params: FuseParams
    result: FusionResult
    images: LiveImages
    source_layers: list[Image] = field(default_factory=list)
    layers: dict[str, list[Image]] = field(default_factory=dict)
    set_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    z_axis: int | None = None
    correcting: CorrectionSession | None = None

    corrected = Signal(int, object)
    """Emitted in the main thread after pixels changed: time point, and (rows, columns)."""

    def __post_init__(self) -> None:
        """Make the set findable from its layers."""
        make_findable(self)

    @property
    def focus_index_layer(self) -> Image | None:
        """The layer of the focus map, None if the user deleted it."""
        found = self.layers.get("focus_index", [])
        return found[0] if found else None

    def any_layer(self) -> Image | None:
        """Return a layer of the set that is still there, the fused image first."""
        for layers in self.layers.values():
            if layers:
                return layers[0]
        return None

    def put(self, name: str, time: int, place: Place, block: np.ndarray[Any, Any]) -> None:
        """Change pixels that are shown; `refresh` draws them."""
        self.images.put(name, time, place, block)

    def refresh(self, *names: str) -> None:
        """Draw images again whose pixels have changed; all of them if none is named."""
        for name, layers in self.layers.items():
            if not names or name in names:
                for layer in layers:
                    layer.refresh(thumbnail=False, extent=False)

    def forget(self, layer: Layer) -> None:
        """Take a layer off that the user deleted."""
        for layers in self.layers.values():
            if layer in layers:
                layers.remove(layer)
        if layer in self.source_layers:
            self.source_layers.remove(layer)

    def close(self) -> None:
        """Delete the temporary result and close the files of the stack."""
        if self.correcting is not None:
            self.correcting.end()
        self.result.close()
        self.stack.close()


class LayerSet(Protocol):
    """What a fusion or a restoration put into a viewer."""

    def any_layer(self) -> Image | None:
        """Return a layer that is still there."""

    def forget(self, layer: Layer) -> None:
        """Take a layer off that the user deleted."""

    def close(self) -> None:
        """Delete what is behind the layers."""


SetT = TypeVar("SetT", bound=LayerSet)


class ResultSets(Generic[SetT]):
    """The sets of one viewer, in the order in which they came.

    A set leaves when the last of its layers is deleted, and with the viewer.

    Attributes
    ----------
    is_fusing : bool
        Whether a run or a preview goes on, so that the processor is better left to it.
    is_adding : bool
        Whether layers are being added that the user did not select; see `selection_kept`.
    """

    changed = Signal()
    """Emitted when a set came or left."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.is_fusing = self.is_adding = False
        self._sets: list[SetT] = []
        viewer.layers.events.removed.connect(self._on_removed)

    def __iter__(self) -> Iterator[SetT]:
        """Yield the sets, oldest first."""
        return iter(list(self._sets))

    def __len__(self) -> int:
        """Count the sets."""
        return len(self._sets)

    def add(self, result_set: SetT) -> None:
        """Take a set in whose layers have been added to the viewer."""
        self._sets.append(result_set)
        self.changed.emit()

    def discard(self, result_set: SetT) -> None:
        """Let a set go and close it; its layers are the caller's to remove."""
        if result_set in self._sets:
            self._sets.remove(result_set)
            result_set.close()
            self.changed.emit()

    def close(self) -> None:
        """Let all sets go."""
        for result_set in self:
            self.discard(result_set)

    def _on_removed(self, event: Any) -> None:
        for result_set in self:
            result_set.forget(event.value)
            if result_set.any_layer() is None:
                self.discard(result_set)


def result_sets(viewer: ViewerModel) -> ResultSets[ResultSet]:
    """Return the sets of a viewer; the same object each time."""
    return sets_of_kind(viewer, "fused")


def sets_of_kind(viewer: ViewerModel, kind: str) -> ResultSets[Any]:
    """Return sets of a viewer that are kept apart from those of fusions, such as restored ones."""
    viewer = real_viewer(viewer)
    key = (id(viewer), kind)
    if key not in _OF_VIEWERS:
        _OF_VIEWERS[key] = ResultSets(viewer)
        weakref.finalize(viewer, _forget_viewer, key)
    return _OF_VIEWERS[key]


@contextmanager
def selection_kept(viewer: ViewerModel) -> Iterator[None]:
    """Keep what is selected while layers are added, which napari selects for a moment.

    Else lists that follow the selection would go back to the layer that is selected again.
    """
    sets, selected = result_sets(viewer), set(viewer.layers.selection)
    sets.is_adding = True
    try:
        yield
        viewer.layers.selection = selected
    finally:
        sets.is_adding = False


def make_findable(owner: Any) -> None:
    """Let `owner_with_id` find a set by its ``set_id`` as long as somebody keeps it."""
    _ALL[owner.set_id] = owner


def aid_metadata() -> dict[str, Any]:
    """Return the metadata of a layer that only helps to look at a result.

    It belongs to no set and is not saved, and nobody takes it for a stack to fuse.
    """
    return {METADATA_KEY: {"set": None, "image": "aid", "channel": None, "provenance": {}}}


def set_of(layer: Layer | None) -> ResultSet | None:
    """Return the set that a layer belongs to, None if it belongs to none."""
    facts = layer.metadata.get(METADATA_KEY) if layer is not None else None
    return set_with_id(facts.get("set")) if isinstance(facts, dict) else None


def set_with_id(set_id: str | None) -> ResultSet | None:
    """Return the set of an id, None if there is none any more."""
    owner = owner_with_id(set_id)
    return owner if isinstance(owner, ResultSet) else None


def owner_with_id(set_id: str | None) -> Any:
    """Return what has the layers of an id, a set or restored images; None if it is gone."""
    return _ALL.get(set_id or "")


def row_and_column_axes(layer: Layer) -> tuple[int, int]:
    """Return the dimensions of rows and columns in a result layer."""
    labels = list(layer.axis_labels)
    if "y" in labels and "x" in labels:
        return labels.index("y"), labels.index("x")
    return layer.ndim - 2, layer.ndim - 1


def time_axis(layer: Layer) -> int:
    """Return the dimension of T in a result layer that has time points."""
    labels = list(layer.axis_labels)
    return labels.index("t") if "t" in labels else 0


def _forget_viewer(key: tuple[int, str]) -> None:
    sets = _OF_VIEWERS.pop(key, None)
    if sets is not None:
        # Who listened may be half gone, as the viewer is.
        with sets.changed.blocked():
            sets.close()
