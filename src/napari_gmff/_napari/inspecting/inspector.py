"""`FocusInspector`: why each pixel of a fusion is what it is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFrame, QGroupBox, QScrollArea, QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.connections import Connections
from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.common.words import Words
from napari_gmff._napari.inspecting.compare_panel import ComparePanel
from napari_gmff._napari.inspecting.confidence_panel import ConfidencePanel
from napari_gmff._napari.inspecting.pixel_panel import PixelPanel
from napari_gmff._napari.inspecting.pixel_picker import PixelPicker
from napari_gmff._napari.inspecting.slices_panel import SlicesPanel
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.set_picker import SetPicker

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_gmff._napari.layers.result_sets import ResultSet

_EMPTY = (
    "Fuse a stack first; here you then see why each pixel is what it is. Open a stack, or a sample "
    "from File > Open Sample, and choose Fuse focus stack in the Plugins menu."
)
_FROM_DISK = (
    "This result was opened from disk, without the stack it was made of. To look into it, open "
    "the stack and fuse it again."
)


class FocusInspector(QScrollArea):
    """Dock widget: facts and focus curve of a pixel, slices used, confidence, comparison.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose fusions are looked into.

    Attributes
    ----------
    sets : SetPicker
        Says which fusion.
    pixel, compare, slices, confidence
        The panels, from top to bottom.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        viewer = self._viewer = real_viewer(viewer)
        self._set: ResultSet | None = None
        connections = Connections(self)
        self._picker = PixelPicker(viewer, self)
        letters: set[str] = set()
        self.sets = SetPicker(viewer, letters, connections)
        self.pixel = PixelPanel(viewer, self._picker, letters)
        self.compare = ComparePanel(viewer, letters)
        self.slices = SlicesPanel(viewer)
        self.confidence = ConfidencePanel(viewer, letters)
        self._empty = Words(text=_EMPTY)
        self._lay_out()
        self.sets.picked.connect(self._use)
        connections.add(viewer.dims.events.point, self._on_dims)
        connections.add(viewer.layers.events.removed, self._on_removed)
        connections.add(viewer.layers.selection.events.active, self._on_active)
        self._use(self.sets.result_set)
        # napari imports it for its first points, and the first click would have to wait for that.
        self._warm_up = Background(self)
        self._warm_up.ask(import_module, "pandas")

    @property
    def result_set(self) -> ResultSet | None:
        """The fusion that is looked into, None where there is none."""
        return self._set

    @property
    def empty_words(self) -> str:
        """What to do where there is nothing to inspect; empty where there is."""
        return self._empty.words

    def showEvent(self, event: QShowEvent) -> None:
        """Begin to follow the pointer."""
        super().showEvent(event)
        self._picker.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the mouse to others while the dock is not seen."""
        super().hideEvent(event)
        if not event.spontaneous():  # a minimised window comes back
            self._picker.stop()

    def event(self, event: QEvent) -> bool:
        """Put the viewer back as it was when napari takes the widget out of its dock."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.end()
        return super().event(event)

    def end(self) -> None:
        """Take away what was added to the viewer: mark, overlay and comparison."""
        self._picker.stop()
        self.pixel.unpin()
        self.confidence.end()
        self.compare.end()

    def _lay_out(self) -> None:
        self._panels = QWidget()
        panels = QVBoxLayout(self._panels)
        panels.setContentsMargins(0, 0, 0, 0)
        panels.addWidget(self.sets)
        for title, panel in (
            ("Pixel", self.pixel),
            ("Fused and slice", self.compare),
            ("Slices used", self.slices),
            ("Confidence", self.confidence),
        ):
            box = QGroupBox(title)
            layout = QVBoxLayout(box)
            layout.setContentsMargins(6, 6, 6, 6)
            layout.addWidget(panel)
            panels.addWidget(box)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self._empty)
        layout.addWidget(self._panels)
        layout.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _use(self, result_set: ResultSet | None) -> None:
        if self._set is not None:
            self._set.corrected.disconnect(self._on_corrected)
        self._set = result_set
        if result_set is not None:
            result_set.corrected.connect(self._on_corrected)
        self._panels.setVisible(result_set is not None)
        for panel in (self.pixel, self.compare, self.slices, self.confidence):
            panel.use(result_set)
        self._on_active()

    def _on_active(self) -> None:
        """Say what to do where there is nothing to inspect."""
        layer = self._viewer.layers.selection.active
        facts = None if layer is None else layer.metadata.get(METADATA_KEY)
        if self._set is not None:
            self._empty.say("")
        else:
            self._empty.say(_EMPTY if facts is None else _FROM_DISK)

    def _on_dims(self) -> None:
        if self._set is not None:
            self.pixel.follow_time()
            self.slices.follow_time()
            self.confidence.follow_time()
            self.compare.follow_slider()

    def _on_removed(self) -> None:
        self.pixel.follow_layers()
        self.confidence.follow_layers()
        self.compare.follow_layers()

    def _on_corrected(self, time: int, place: object) -> None:
        del time, place
        self.pixel.refresh()
        self.slices.refresh()
