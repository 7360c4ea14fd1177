"""`FocusInspector`: why each pixel of a fusion is what it is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFrame, QGroupBox, QScrollArea, QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.connections import Connections
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.common.words import Words
from napari_gmff._napari.inspecting.compare_panel import ComparePanel
from napari_gmff._napari.inspecting.confidence_panel import ConfidencePanel
from napari_gmff._napari.inspecting.curve_preparer import CurvePreparer
from napari_gmff._napari.inspecting.pixel_panel import PixelPanel
from napari_gmff._napari.inspecting.pixel_picker import PixelPicker
from napari_gmff._napari.inspecting.slices_panel import SlicesPanel
from napari_gmff._napari.layers.one_choice import why_no_one_choice
from napari_gmff._napari.layers.saved_fusions import SavedFusion, is_partial
from napari_gmff._napari.layers.set_picker import SetPicker

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_gmff._napari.layers.saved_fusions import Fusion

_EMPTY = (
    "Fuse a stack first; here you then see why each pixel is what it is. Open a stack, or a sample "
    "from File > Open Sample, and choose Fuse focus stack in the Plugins menu."
)
_PARTLY = (
    "This file does not hold all images of a fusion. Save all of them, or fuse the stack again."
)
_READING = "Reading the saved result…"


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
        self._set: Fusion | None = None
        connections = Connections(self)
        self._picker = PixelPicker(viewer, self)
        letters: set[str] = set()
        self.sets = SetPicker(viewer, letters, connections, with_saved=True)
        self.pixel = PixelPanel(viewer, self._picker, letters)
        self._preparer = CurvePreparer(viewer, lambda: self.pixel.is_computing, self)
        self._picker.hovered.connect(self._preparer.point_at)
        self.compare = ComparePanel(viewer, letters)
        self.slices = SlicesPanel(viewer)
        self.confidence = ConfidencePanel(viewer, letters)
        self._empty = Words(text=_EMPTY)
        self._needs_stack = Words()
        self._fetching = Background(self)
        self._fetching.answered.connect(self._on_fetched)
        self._fetching.failed.connect(show_failure)
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
    def result_set(self) -> Fusion | None:
        """The fusion that is looked into, None where there is none."""
        return self._set

    @property
    def empty_words(self) -> str:
        """What to do where there is nothing to inspect; empty where there is."""
        return self._empty.words

    @property
    def needs_stack_words(self) -> str:
        """What cannot be seen of a result from disk; empty for others."""
        return self._needs_stack.words

    def showEvent(self, event: QShowEvent) -> None:
        """Begin to follow the pointer, and to get curves ready."""
        super().showEvent(event)
        self._picker.start()
        self._preparer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the mouse to others while the dock is not seen."""
        super().hideEvent(event)
        self._preparer.stop()
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
        self._preparer.stop()
        self.pixel.unpin()
        self.confidence.end()
        self.compare.end()

    def _lay_out(self) -> None:
        self._panels = QWidget()
        panels = QVBoxLayout(self._panels)
        panels.setContentsMargins(0, 0, 0, 0)
        panels.addWidget(self._needs_stack)
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
        # Above the list's panels: where a fusion cannot be inspected, another can be picked.
        layout.addWidget(self.sets)
        layout.addWidget(self._empty)
        layout.addWidget(self._panels)
        layout.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _use(self, picked: Fusion | None) -> None:
        """Look into a fusion, once its pixels are in memory."""
        self._fetching.forget()
        result_set = None if why_no_one_choice(picked) or is_partial(picked) else picked
        if isinstance(result_set, SavedFusion) and not result_set.images.is_fetched:
            self._fetching.ask(result_set.images.fetch)
            result_set = None
        if self._set is not None:
            self._set.corrected.disconnect(self._on_corrected)
        self._set = result_set
        if result_set is not None:
            result_set.corrected.connect(self._on_corrected)
        self.sets.setVisible(picked is not None)
        self._panels.setVisible(result_set is not None)
        for panel in (self.pixel, self.compare, self.slices, self.confidence, self._preparer):
            panel.use(result_set)
        self._needs_stack.say(getattr(result_set, "needs_stack", ""))
        self._on_active()

    def _on_fetched(self, nothing: None) -> None:
        self._use(self.sets.result_set)

    def _on_active(self) -> None:
        """Say what to do where there is nothing to inspect."""
        if self._set is not None:
            self._empty.say("")
        elif self._fetching.is_busy:
            self._empty.say(_READING)
        else:
            picked = self.sets.result_set
            why = why_no_one_choice(picked)
            self._empty.say(why or (_PARTLY if is_partial(picked) else _EMPTY))

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
