"""`PaintedLayer`: the labels of a correction, and the layer they are painted in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_gmff._napari.common.links import Links
from napari_gmff._napari.correcting.correction_layer import (
    add_correction_layer,
    label_colormap,
    layer_facts,
    layer_indices,
    left_over_layer,
    mark_label,
)
from napari_gmff._napari.layers.label_places import labels_of
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff.correction_labels import slice_numbers
from napari_gmff.corrections import CorrectionTarget
from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_gmff._napari.correcting.correction_work import Pixels
    from napari_gmff._napari.layers.result_sets import ResultSet

LOOK_MS = 60
"""After napari drew the layer anew, as it does for an undo, before it is looked at."""


class PaintedLayer(QObject):
    """Keeps labels, and tells when something was painted in them.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Has the layers of the result.
    result_set : ResultSet
        The result, as it was fused.

    Attributes
    ----------
    labels : ndarray
        Axes (T)YX: 0 is unchanged, k + 1 means slice k. The layer paints into this very array.
    numbers : list of int
        Slices that may be chosen.
    mark : int
        Label of an area to be filled.
    """

    painted = Signal()
    """The labels have changed, or may have."""
    changed = Signal()
    """The layer came or went."""
    told = Signal(str)
    """Words for the user."""
    failed = Signal(Exception)
    """Why the layer cannot be used."""

    def __init__(self, viewer: ViewerModel, result_set: ResultSet) -> None:
        super().__init__()
        self._viewer = viewer
        self._set = result_set
        self._target = CorrectionTarget.of(result_set.result)
        self.numbers = slice_numbers(result_set.result)
        self.mark = mark_label(self.numbers)
        self.labels: NDArray[Any] = np.zeros(self._target.shape, np.min_scalar_type(self.mark))
        self._layer: Labels | None = None
        self._links, self._of_layer = Links(), Links()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(LOOK_MS)
        self._later.timeout.connect(self._tell)
        self._links.add(viewer.layers.events.removed, self._on_removed)

    @property
    def layer(self) -> Labels | None:
        """The layer that is painted in; None before `open` and after it was deleted."""
        return self._layer

    @property
    def is_waiting(self) -> bool:
        """Whether `painted` is about to be emitted."""
        return self._later.isActive()

    def open(self) -> Labels:
        """Show the layer and take it into the hand, brush ready; it is made where it is missing.

        One that is left from an earlier run of the same stack is taken up with what is painted in
        it.
        """
        if self._layer is None:
            facts = layer_facts(self._set, self._target)
            layer = left_over_layer(self._viewer, facts)
            if layer is None:
                layer = add_correction_layer(self._viewer, self._set, self.labels, self._target)
            else:
                layer.metadata[METADATA_KEY] = facts
                self.told.emit("What was painted for the earlier run was applied again.")
            self._watch(layer)
        layer = self._layer
        assert layer is not None
        if not layer.visible:  # setting it takes a tool out of the hand
            layer.visible = True
        self._viewer.layers.selection.active = layer
        if str(layer.mode) in ("pan_zoom", "transform"):
            layer.mode = "paint"
        return layer

    def put(self, pixels: Pixels) -> None:
        """Change labels, in a way that napari's undo knows where there is a layer."""
        still = pixels.where(self.labels)
        if self._layer is not None:
            self._layer.data_setitem(layer_indices(self._layer, still.indices), still.labels)
        else:
            self.labels[still.indices] = still.labels
        self._tell()

    def undo(self) -> None:
        """Take the last stroke back."""
        if self._layer is not None:
            self._layer.undo()
            self._tell()

    def redo(self) -> None:
        """Make the stroke again that was taken back."""
        if self._layer is not None:
            self._layer.redo()
            self._tell()

    def end(self) -> None:
        """Listen no longer; the layer stays."""
        self._later.stop()
        self._of_layer.cut()
        self._links.cut()

    def _tell(self) -> None:
        self._later.stop()
        self.painted.emit()

    def _watch(self, layer: Labels) -> None:
        self._layer = layer
        self._take_data()
        events = layer.events
        self._of_layer.add(events.paint, self._on_painted)
        self._of_layer.add(events.labels_update, self._on_painted)
        self._of_layer.add(events.set_data, self._on_drawn)
        self._of_layer.add(events.data, self._take_data)
        self._of_layer.add(events.selected_label, self._check_label)
        index = self._set.focus_index_layer
        if index is not None:
            self._of_layer.add(index.events.colormap, self._color)
            self._of_layer.add(index.events.contrast_limits, self._color)
        self.changed.emit()

    def _take_data(self, event: object = None) -> None:
        """Use the array that the layer holds, which another plugin may have replaced."""
        assert self._layer is not None
        data, expected = self._layer.data, self.labels.dtype
        shape = labels_of(self._layer, self.labels.ndim).shape
        if isinstance(data, np.ndarray) and data.dtype == expected and shape == self._target.shape:
            self.labels = labels_of(self._layer, self.labels.ndim)
            self._tell()
            return
        self.failed.emit(
            ParameterError(
                f"{self._layer.name}: must hold a NumPy array of {expected} {self._target.shape}, "
                f"got {type(data).__name__} of {data.dtype} {data.shape}; delete the layer and "
                "start again"
            )
        )

    def _on_painted(self, event: object = None) -> None:
        # At once: the result is made while napari still draws the stroke. And again, since
        # `data_setitem` tells of its pixels before it sets them.
        self._tell()
        self._later.start()

    def _on_drawn(self, event: object = None) -> None:
        if not self._later.isActive():
            self._later.start()

    def _check_label(self, event: object = None) -> None:
        """Let nobody paint with a slice that was not fused."""
        assert self._layer is not None
        label = int(self._layer.selected_label)
        if label in (0, self.mark) or label - 1 in self.numbers:
            return
        nearest = int(np.clip(label - 1, self.numbers[0], self.numbers[-1]))
        self._layer.selected_label = nearest + 1
        self.told.emit(f"No slice {label - 1} was fused; the brush paints with {nearest} now.")

    def _color(self, event: object = None) -> None:
        if self._layer is not None:
            self._layer.colormap = label_colormap(self._set)

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._of_layer.cut()
            self._layer = None
            self._tell()
            self.changed.emit()
