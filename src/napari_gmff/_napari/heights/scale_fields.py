"""Fields for the sizes that a source does not state, so that heights can be measured in µm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLabel, QWidget

from napari_gmff._napari.common.field_editors import NOT_SET, quiet_wheel
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.heights.height_map import HeightScale, scale_of

if TYPE_CHECKING:
    from napari_gmff._napari.layers.saved_fusions import Fusion

_TIP_STEP = (
    "Distance between two slices. It is used here only: to have the saved depth in µm too, enter "
    "it in the fusion widget and fuse again."
)
_TIP_PIXEL = "Side of a pixel on the specimen. It is used here only."
_WHY = {
    (
        True,
        True,
    ): "The source states neither slice step nor pixel size. Enter them to measure in µm.",
    (True, False): "The source does not state the slice step. Enter it to measure in µm.",
    (False, True): "The source does not state the pixel size. Enter it to measure in µm.",
}


class ScaleFields(QWidget):
    """Slice step and pixel size of a fusion, hidden where its source states them.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of the labels are added.
    """

    changed = Signal()
    """The user entered another size."""

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self._set: Fusion | None = None
        self._said: WeakKeyDictionary[Fusion, dict[str, float]] = WeakKeyDictionary()
        self._why = Words("problem")
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addRow(self._why)
        self.step = self._add("Slice step", _TIP_STEP, used_letters)
        self.pixel = self._add("Pixel size", _TIP_PIXEL, used_letters)
        self.use(None)

    @property
    def why(self) -> str:
        """What is missing, in words; ``""`` where nothing is."""
        return self._why.words

    def use(self, result_set: Fusion | None) -> None:
        """Show what is missing of another fusion, or of none."""
        self._set = None
        said = {} if result_set is None else self._said.setdefault(result_set, {})
        for name, box in (("step", self.step), ("pixel", self.pixel)):
            box.setValue(said.get(name, 0.0))
        self._set = result_set
        self._show()

    def scale(self) -> HeightScale | None:
        """Return the scale of the fusion with what was entered; None without a fusion."""
        if self._set is None:
            return None
        said = self._said[self._set]
        return scale_of(self._set.result, said.get("step"), said.get("pixel"))

    def _show(self) -> None:
        bare = None if self._set is None else scale_of(self._set.result)
        no_step = bare is not None and bare.um_per_depth is None
        no_pixel = bare is not None and None in bare.pixel_size_um
        for box, is_missing in ((self.step, no_step), (self.pixel, no_pixel)):
            box.setVisible(is_missing)
            self._layout.labelForField(box).setVisible(is_missing)
        full = self.scale()
        is_known = full is None or full.is_known
        self._why.say("" if is_known else _WHY[no_step, no_pixel])
        self.setVisible(no_step or no_pixel)

    def _add(self, title: str, tip: str, used_letters: set[str]) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0, 1e6)
        box.setDecimals(4)
        box.setSingleStep(0.1)
        box.setSuffix(" µm")
        box.setSpecialValueText(NOT_SET)
        box.setKeyboardTracking(False)
        box.setAccessibleName(title)
        quiet_wheel(box)
        label = QLabel(with_mnemonic(title, used_letters))
        label.setBuddy(box)
        for widget in (label, box):
            widget.setToolTip(f"<qt>{tip}</qt>")
        self._layout.addRow(label, box)
        box.valueChanged.connect(self._on_entered)
        return box

    def _on_entered(self) -> None:
        if self._set is None:
            return
        entered = {"step": self.step.value(), "pixel": self.pixel.value()}
        self._said[self._set] = {name: value for name, value in entered.items() if value > 0}
        self._show()
        self.changed.emit()
