"""The part of the inspector that compares the fused image with the slice in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import narrow
from napari_gmff._napari.common.view_state import ViewState
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.inspecting.side_by_side import SideBySide
from napari_gmff._napari.layers.slice_navigation import can_go_to_slices, slice_in_view
from napari_gmff._napari.layers.swipe import Swipe

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_gmff._napari.layers.saved_fusions import Fusion

OFF, SWIPE, BESIDE, ALONE = "Off", "Swipe", "Side by side", "Slice alone"
_TOOLTIP = (
    "Swipe: the fused image left of a line that you drag, the slice on its right.\n"
    "Side by side: both next to each other, moving together.\n"
    "Slice alone: only the stack, at the slider's slice."
)
_SLIDER_STEPS = 1000


class _Alone:
    """Only the source is seen."""

    def __init__(self, viewer: ViewerModel, result_set: Fusion) -> None:
        self._state = ViewState(viewer)
        self._state.show_only(result_set.source_layers)

    def end(self) -> None:
        self._state.restore()


class ComparePanel(QWidget):
    """Chooses how the fused image is compared with the slice in view.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are shown and hidden; all is put back at the end.
    used_letters : set of str
        Mnemonics that are taken; that of this panel is added.

    Attributes
    ----------
    modes : QComboBox
        `OFF`, `SWIPE`, `BESIDE` or `ALONE`.
    slider : QSlider
        Where the line of a swipe is.
    view : Swipe or SideBySide or None
        The comparison that is seen.
    """

    def __init__(self, viewer: ViewerModel, used_letters: set[str]) -> None:
        super().__init__()
        self._viewer = viewer
        self._set: Fusion | None = None
        self.view: Swipe | SideBySide | _Alone | None = None
        self.modes = QComboBox()
        narrow(self.modes)
        self.modes.addItems([OFF, SWIPE, BESIDE, ALONE])
        self.modes.setToolTip(_TOOLTIP)
        self.modes.currentTextChanged.connect(self._on_mode)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _SLIDER_STEPS)
        self.slider.setValue(_SLIDER_STEPS // 2)
        self.slider.setAccessibleName("Place of the line")
        self.slider.setToolTip("Place of the line; it can be dragged in the image too")
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.hide()
        self._words = Words()
        self._lay_out(with_mnemonic("Compare", used_letters))

    @property
    def mode(self) -> str:
        """What is shown: one of `OFF`, `SWIPE`, `BESIDE`, `ALONE`."""
        return self.modes.currentText()

    @property
    def words(self) -> str:
        """What is seen where, in words."""
        return self._words.words

    def use(self, result_set: Fusion | None) -> None:
        """Tell of another result, or of none; a comparison ends."""
        if result_set is not self._set:
            self.end()
        self._set = result_set
        self.follow_layers()

    def follow_layers(self) -> None:
        """End a comparison whose layers were removed, and offer none where some are missing."""
        is_possible = self._is_possible()
        if not is_possible or (isinstance(self.view, Swipe) and len(self.view.layers) < 2):
            self.end()
        self.modes.setEnabled(is_possible)
        self.follow_slider()

    def follow_slider(self) -> None:
        """Say which slice is seen now."""
        if self._set is None or self.view is None:
            missing = self._set is not None and not self._is_possible()
            self._words.say("The stack's layer or the fused image is not there." if missing else "")
            return
        number = slice_in_view(self._viewer, self._set)
        words = "the stack" if number is None else f"slice {number}"
        if isinstance(self.view, Swipe):
            self._words.say(f"Left of the line: fused. Right: {words}.")
        elif isinstance(self.view, SideBySide):
            self._words.say(f"Fused image beside {words}; both move together.")
        else:
            self._words.say(f"Only {words} is shown.")

    def end(self) -> None:
        """End the comparison and put the layers back."""
        self.modes.setCurrentText(OFF)

    def _lay_out(self, title: str) -> None:
        row = QHBoxLayout()
        label = QLabel(title)
        label.setBuddy(self.modes)
        row.addWidget(label)
        row.addWidget(self.modes, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.slider)
        layout.addWidget(self._words)

    def _is_possible(self) -> bool:
        result_set = self._set
        if result_set is None or not result_set.layers.get("fused"):
            return False
        return can_go_to_slices(self._viewer, result_set)

    def _on_mode(self, mode: str) -> None:
        if self.view is not None:
            view, self.view = self.view, None
            view.end()
        self.slider.setVisible(mode == SWIPE)
        if self._set is not None and mode != OFF:
            self.view = self._start(mode, self._set)
        self.follow_slider()

    def _start(self, mode: str, result_set: Fusion) -> Swipe | SideBySide | _Alone:
        if mode == BESIDE:
            return SideBySide(self._viewer, result_set)
        if mode == ALONE:
            return _Alone(self._viewer, result_set)
        swipe = Swipe(self._viewer, result_set, self.slider.value() / _SLIDER_STEPS, parent=self)
        swipe.moved.connect(self._on_moved)
        return swipe

    def _on_slider(self, value: int) -> None:
        if isinstance(self.view, Swipe):
            self.view.move_to(value / _SLIDER_STEPS)

    def _on_moved(self, fraction: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(fraction * _SLIDER_STEPS))
        self.slider.blockSignals(False)
