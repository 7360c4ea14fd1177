"""A slider for a value from 0 to 1, with the number beside it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QSlider

from napari_gmff._napari.common.field_editors import FieldEditor, quiet_wheel

STEPS = 100
"""Places of the slider; the number beside it can be any."""


class ThresholdEditor(FieldEditor):
    """Slider and number move together.

    Attributes
    ----------
    slider : QSlider
        In steps of 1 / `STEPS`.
    number : QDoubleSpinBox
        The value.
    """

    def __init__(self) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        super().__init__(self.slider)
        self.number = QDoubleSpinBox()
        self.number.setRange(0, 1)
        self.number.setDecimals(2)
        self.number.setSingleStep(1 / STEPS)
        self.number.setAccessibleName("Confidence threshold")
        quiet_wheel(self.number)
        self._row.addWidget(self.number)
        self.slider.valueChanged.connect(lambda place: self.number.setValue(place / STEPS))
        self.number.valueChanged.connect(self._on_number)

    def value(self) -> float:
        """Return the value, from 0 to 1."""
        return round(float(self.number.value()), 6)

    def set_value(self, value: object) -> None:
        """Show a value from 0 to 1."""
        assert isinstance(value, int | float)
        self.number.setValue(float(value))

    def _on_number(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value * STEPS))
        self.slider.blockSignals(False)
        self.changed.emit()
