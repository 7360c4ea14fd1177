"""The part of the inspector that tells of one pixel: facts, curves, and what else it could be."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.field_editors import narrow
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.inspecting.curve_plot import CurvePlot, PlottedCurves
from napari_gmff._napari.inspecting.other_slice import OtherSlice
from napari_gmff._napari.inspecting.pixel_facts import PixelCurves, PixelFacts, curves_of, facts_of
from napari_gmff._napari.inspecting.pixel_place import PixelPlace
from napari_gmff._napari.layers.slice_navigation import can_go_to_slices, go_to_slice, time_in_view
from napari_gmff.errors import FusionCancelled

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_gmff._napari.inspecting.pixel_picker import Pixel, PixelPicker
    from napari_gmff._napari.layers.saved_fusions import Fusion

SCORE, INTENSITY = "Focus score", "Intensity"

_NO_POINTER = "Pointer: outside the result"
_NO_PIXEL = "Click a pixel in the image, or enter its row and column."
_NO_STACK = "The layer of the stack is not there, or its slices lie along a displayed axis"
_COMPUTING = "Getting the focus curve ready…"

WAIT_MS = 300
"""How long nothing is said of a curve that does not come."""


class PixelPanel(QWidget):
    """Facts of the pixel under the pointer and of the pinned one, with its curves.

    Parameters
    ----------
    viewer : ViewerModel
        Whose slider is moved, and on whose canvas pixels are picked.
    picker : PixelPicker
        Says which pixels; it is told which are pinned.
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.

    Attributes
    ----------
    place : PixelPlace
        Row and column of the pinned pixel.
    plot : CurvePlot
        Its curves.
    other : OtherSlice
        What it would be from the slice that is picked in the plot.
    kind : QComboBox
        What is plotted: `SCORE` or `INTENSITY`.
    go, unpin_button : QPushButton
        Move the slider to the slice; take the mark away.
    """

    def __init__(self, viewer: ViewerModel, picker: PixelPicker, used_letters: set[str]) -> None:
        super().__init__()
        self._viewer = viewer
        self._picker = picker
        self._set: Fusion | None = None
        self._facts: PixelFacts | None = None
        self._curves: PixelCurves | None = None
        self._stop = threading.Event()
        self._work = Background(self)
        self._work.answered.connect(self._on_curves)
        self._work.failed.connect(self._on_failed)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(WAIT_MS)
        self._patience.timeout.connect(self._show_facts)
        picker.hovered.connect(self.show_pointer)
        picker.clicked.connect(self.pin)
        self.place = PixelPlace(used_letters)
        self.place.entered.connect(self._on_place)
        self.plot = CurvePlot(viewer)
        self.plot.slice_picked.connect(self._on_slice)
        self.other = OtherSlice()
        self._pointer = Words(text=_NO_POINTER)
        # Two lines at least, so that nothing jumps while the pointer moves.
        self._pointer.setMinimumHeight(2 * self._pointer.fontMetrics().lineSpacing())
        self._words = Words()
        self._make_controls(used_letters)
        self._lay_out(used_letters)
        self._show_facts()

    @property
    def pixel(self) -> Pixel | None:
        """The pinned pixel, None where there is none."""
        return None if self._facts is None else self._facts.pixel

    @property
    def curves(self) -> PixelCurves | None:
        """Curves of the pinned pixel, None until they are computed."""
        return self._curves

    @property
    def is_computing(self) -> bool:
        """Whether the curves of the pinned pixel are still to come."""
        return self._work.is_busy

    @property
    def words(self) -> str:
        """What is said about the pinned pixel."""
        return self._words.words

    @property
    def pointer_words(self) -> str:
        """What is said about the pixel under the pointer."""
        return self._pointer.words

    def use(self, result_set: Fusion | None) -> None:
        """Tell of another result, or of none."""
        self.unpin()
        self._set = result_set
        self._picker.use(result_set)
        # Curves are computed from the stack, which a result from disk does not have.
        self._of_stack.setVisible(result_set is None or result_set.result.curves is not None)
        if result_set is not None:
            self.place.set_shape(result_set.images.specs["fused"].shape_yx)
        self._show_facts()

    def show_pointer(self, pixel: Pixel | None) -> None:
        """Say what is under the pointer."""
        if pixel is None or self._set is None:
            self._pointer.say(_NO_POINTER)
        else:
            facts = facts_of(self._set, pixel)
            self._pointer.say(f"Pointer ({pixel[1]}, {pixel[2]}): {facts.words}")

    def pin(self, pixel: Pixel) -> None:
        """Mark a pixel, tell of it, and compute its curves."""
        if self._set is None:
            return
        self._forget_work()
        self._facts = facts_of(self._set, pixel)
        self._picker.mark(pixel)
        self.place.show_place(*pixel[1:])
        self._stop = threading.Event()
        if self._set.result.curves is not None:
            self._work.ask(curves_of, self._set.result, pixel, self._stop.is_set)
            self._patience.start()
        self._show_facts()

    def unpin(self) -> None:
        """Forget the pinned pixel and its mark."""
        self._forget_work()
        self._facts = None
        self._picker.unmark()
        self._show_facts()

    def follow_time(self) -> None:
        """Tell of the same place at the time point that is in view."""
        if self._set is None or self._facts is None:
            return
        time, (before, y, x) = time_in_view(self._viewer, self._set), self._facts.pixel
        if time != before:
            self.pin((time, y, x))

    def follow_layers(self) -> None:
        """Forget the pixel whose mark was removed by hand."""
        if self._facts is not None and self._picker.marker is None:
            self.unpin()
        else:
            self._show_facts()

    def refresh(self) -> None:
        """Look at the pinned pixel again, after the result changed."""
        if self._set is not None and self._facts is not None:
            self._facts = facts_of(self._set, self._facts.pixel)
            self._show_curves()
            self._show_facts()

    def _make_controls(self, used_letters: set[str]) -> None:
        self.kind = QComboBox()
        narrow(self.kind)
        self.kind.addItems([SCORE, INTENSITY])
        self.kind.setToolTip(
            "<qt>Focus score: how sharp the engine finds each slice at this pixel. Intensity: what "
            "the camera measured there in each slice.</qt>"
        )
        self.kind.currentIndexChanged.connect(self._show_curves)
        self._go_title = with_mnemonic("Go to slice", used_letters)
        self.go = QPushButton(self._go_title)
        self.go.clicked.connect(self._on_go)
        self.unpin_button = QPushButton(with_mnemonic("Unpin", used_letters))
        self.unpin_button.setToolTip("Take the mark away")
        self.unpin_button.clicked.connect(self.unpin)

    def _lay_out(self, used_letters: set[str]) -> None:
        kind, buttons = QHBoxLayout(), QHBoxLayout()
        label = QLabel(with_mnemonic("Plot", used_letters))
        label.setBuddy(self.kind)
        kind.addWidget(label)
        kind.addWidget(self.kind, 1)
        buttons.addWidget(self.go, 1)
        buttons.addWidget(self.unpin_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._pointer)
        layout.addWidget(self.place)
        layout.addWidget(self._words)
        self._of_stack = QWidget()
        of_stack = QVBoxLayout(self._of_stack)
        of_stack.setContentsMargins(0, 0, 0, 0)
        of_stack.setSpacing(4)
        of_stack.addLayout(kind)
        of_stack.addWidget(self.plot)
        of_stack.addWidget(self.other)
        layout.addWidget(self._of_stack)
        layout.addLayout(buttons)

    def _forget_work(self) -> None:
        self._stop.set()
        self._work.forget()
        self._curves = None
        self.plot.show_curves(None)
        self.other.clear()

    def _picked(self, facts: PixelFacts) -> int:
        """Return the slice that the user picked, else the pixel's own."""
        return facts.number if self.plot.picked is None else self.plot.picked

    def _show_facts(self) -> None:
        """Bring words and buttons up to date."""
        facts, result_set = self._facts, self._set
        can_go = result_set is not None and can_go_to_slices(self._viewer, result_set)
        self.unpin_button.setEnabled(facts is not None)
        self.go.setEnabled(can_go and facts is not None)
        self.go.setToolTip("Move the slider to this slice of the stack" if can_go else _NO_STACK)
        if facts is None or result_set is None:
            self._words.say(_NO_PIXEL)
            self.go.setText(self._go_title)
            return
        self._words.say(f"Pinned: {facts.words}")
        self.go.setText(f"{self._go_title} {self._picked(facts)}")
        if self._curves is None:
            is_long = self._work.is_busy and not self._patience.isActive()
            self.other.clear(_COMPUTING if is_long else "")
        else:
            self.other.show_slice(result_set, facts, self._curves, self._picked(facts))

    def _show_curves(self) -> None:
        """Plot what is chosen to be plotted."""
        facts, curves = self._facts, self._curves
        if facts is None or curves is None or self._set is None:
            self.plot.show_curves(None)
            return
        values = curves.scores[np.newaxis]
        names: tuple[str, ...] = (SCORE,)
        if self.kind.currentText() == INTENSITY:
            channels = self._set.images.specs["fused"].channels
            values, names = curves.intensities, tuple(channel.name for channel in channels)
        plotted = PlottedCurves(curves.numbers, values, names, facts.number)
        self.plot.show_curves(plotted, self.plot.picked)

    def _on_curves(self, curves: PixelCurves) -> None:
        self._curves = curves
        self._show_curves()
        self._show_facts()

    def _on_failed(self, error: Exception) -> None:
        self.other.clear()
        if not isinstance(error, FusionCancelled):
            show_failure(error)

    def _on_place(self, y: int, x: int) -> None:
        if self._set is not None:
            self.pin((time_in_view(self._viewer, self._set), y, x))

    def _on_slice(self, number: int) -> None:
        if self._set is not None:
            go_to_slice(self._viewer, self._set, number)
            self._show_facts()

    def _on_go(self) -> None:
        if self._set is not None and self._facts is not None:
            go_to_slice(self._viewer, self._set, self._picked(self._facts))
