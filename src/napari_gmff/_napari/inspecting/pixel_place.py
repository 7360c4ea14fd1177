"""Row and column of a pixel, to be read and to be typed."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_gmff._napari.common.field_editors import quiet_wheel
from napari_gmff._napari.common.words import with_mnemonic


class PixelPlace(QWidget):
    """Two boxes for the row and the column of a pixel, counted from 0.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of the labels are added.
    """

    entered = Signal(int, int)
    """The user asks for this row and column."""

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self._boxes = (QSpinBox(), QSpinBox())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box, title, what in zip(self._boxes, ("Row", "Col"), ("Row", "Column"), strict=True):
            label = QLabel(with_mnemonic(title, used_letters))
            label.setBuddy(box)
            # A number counts when it is complete, not at each digit.
            box.setKeyboardTracking(False)
            box.setToolTip(f"{what} of the pinned pixel, from 0")
            box.setAccessibleName(what)
            box.valueChanged.connect(self._on_changed)
            quiet_wheel(box)
            layout.addWidget(label)
            layout.addWidget(box, 1)

    def set_shape(self, shape_yx: tuple[int, int]) -> None:
        """Tell the height and width in pixels that rows and columns are limited by."""
        for box, size in zip(self._boxes, shape_yx, strict=True):
            box.blockSignals(True)
            box.setRange(0, size - 1)
            box.blockSignals(False)

    def show_place(self, y: int, x: int) -> None:
        """Show a row and a column, as if nobody had entered them."""
        for box, value in zip(self._boxes, (y, x), strict=True):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)

    def _on_changed(self) -> None:
        row, column = self._boxes
        self.entered.emit(row.value(), column.value())
