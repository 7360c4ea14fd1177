"""One editor for each kind of field of the parameter model, made from the field's own limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_SET = "not set"
"""Shown where a field has no value and the program decides."""

_LIST_MARGIN_PX = 30
_UNSET_WIDTH_PX = 120

_LARGEST = 2**31 - 1


class FieldEditor(QWidget):
    """A widget for one value.

    Its `focusProxy` is what a label's mnemonic brings the keyboard to.
    """

    changed = Signal()
    """The user, or `set_value`, changed the value."""

    def __init__(self, editor: QWidget | None = None) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        if editor is not None:
            self._row.addWidget(editor, 1)
            self.setFocusProxy(editor)

    def value(self) -> object:
        """Return the value as the parameter model takes it."""
        raise NotImplementedError

    def set_value(self, value: object) -> None:
        """Show a value of the parameter model."""
        raise NotImplementedError


class ChoiceEditor(FieldEditor):
    """Picks one of several values, each with words of its own."""

    def __init__(self, choices: Iterable[tuple[str, object]]) -> None:
        self._box = QComboBox()
        # Kept here: not every Qt binding gives back from a combo box what was put in.
        self._values: list[object] = []
        narrow(self._box)
        super().__init__(self._box)
        self.set_choices(choices)
        self._box.currentIndexChanged.connect(lambda _: self.changed.emit())

    @property
    def chosen(self) -> object:
        """What is chosen of the values offered, None where there is nothing to choose."""
        index = self._box.currentIndex()
        return self._values[index] if index >= 0 else None

    def set_choices(self, choices: Iterable[tuple[str, object]]) -> None:
        """Offer other values; the one that is chosen stays chosen, if it is still offered."""
        kept = self.chosen
        self._box.blockSignals(True)
        self._box.clear()
        self._values.clear()
        for words, value in choices:
            self._add(words, value)
        self._box.setCurrentIndex(max(self._index_of(kept), 0))
        self._box.blockSignals(False)
        view = self._box.view()  # the open list may be wider than the dock
        view.setMinimumWidth(view.sizeHintForColumn(0) + _LIST_MARGIN_PX)
        if not _is_same(self.chosen, kept):
            self.changed.emit()

    def choices(self) -> list[tuple[str, object]]:
        """Return words and value of each entry."""
        words = [self._box.itemText(index) for index in range(self._box.count())]
        return list(zip(words, self._values, strict=True))

    def value(self) -> object:
        """Return the chosen value."""
        return self.chosen

    def set_value(self, value: object) -> None:
        """Choose a value; one that is not offered is added."""
        if self._index_of(value) < 0:
            self._add(text_of(value), value)
        self._box.setCurrentIndex(self._index_of(value))

    def _add(self, words: str, value: object) -> None:
        self._values.append(value)
        self._box.addItem(words)
        self._box.setItemData(self._box.count() - 1, words, Qt.ItemDataRole.ToolTipRole)

    def _index_of(self, value: object) -> int:
        places = (index for index, one in enumerate(self._values) if _is_same(one, value))
        return next(places, -1)


class NumberEditor(FieldEditor):
    """A number within limits, or none."""

    def __init__(self, schema: dict[str, Any], *, may_be_unset: bool) -> None:
        is_whole = schema["type"] == "integer"
        self._box: QSpinBox | QDoubleSpinBox = QSpinBox() if is_whole else QDoubleSpinBox()
        super().__init__(self._box)
        step = schema.get("multipleOf", 1 if is_whole else 0.05)
        low, high = schema.get("minimum", 0), schema.get("maximum", _LARGEST)
        self._box.setSingleStep(step)
        self._unset = low - step if may_be_unset else None
        self._box.setRange(low if self._unset is None else self._unset, high)
        if may_be_unset:
            self._box.setSpecialValueText(NOT_SET)
            self._box.setMinimumWidth(_UNSET_WIDTH_PX)
        quiet_wheel(self._box)
        self._box.valueChanged.connect(lambda _: self.changed.emit())

    def value(self) -> object:
        """Return the number, None where none is set."""
        number = self._box.value()
        if self._unset is not None and number < self._unset + self._box.singleStep() / 2:
            return None
        return round(number, 6)

    def set_value(self, value: object) -> None:
        """Show a number, or that there is none."""
        self._box.setValue(self._unset if value is None else value)


class CheckEditor(FieldEditor):
    """Yes or no."""

    def __init__(self) -> None:
        self._box = QCheckBox()
        super().__init__(self._box)
        self._box.toggled.connect(lambda _: self.changed.emit())

    def value(self) -> bool:
        """Return whether the box is checked."""
        return bool(self._box.isChecked())

    def set_value(self, value: object) -> None:
        """Check the box or not."""
        self._box.setChecked(bool(value))


class TextEditor(FieldEditor):
    """A value written as on the command line; empty for the default."""

    def __init__(self, default: object) -> None:
        self._line = QLineEdit()
        self._default = default
        self._line.setPlaceholderText(text_of(default))
        super().__init__(self._line)
        self._line.editingFinished.connect(self.changed.emit)

    def value(self) -> object:
        """Return the text, which the parameter model reads; the default where it is empty."""
        return self._line.text().strip() or self._default

    def set_value(self, value: object) -> None:
        """Write a value, nothing for the default."""
        self._line.setText("" if value == self._default else text_of(value))
        self.changed.emit()


class SliceRangeEditor(FieldEditor):
    """The first and the last slice to use, numbered as napari's slider does."""

    def __init__(self) -> None:
        super().__init__()
        self._n_slices = 1
        self._first, self._last = QSpinBox(), QSpinBox()
        self._first.setAccessibleName("First slice")
        self._last.setAccessibleName("Last slice")
        for box in (self._first, self._last):
            quiet_wheel(box)
            box.setMinimumWidth(48)
            box.valueChanged.connect(lambda _: self.changed.emit())
        self._row.addWidget(self._first, 1)
        self._row.addWidget(QLabel("to"))
        self._row.addWidget(self._last, 1)
        self.setFocusProxy(self._first)
        self.set_n_slices(1)

    def set_n_slices(self, n_slices: int) -> None:
        """Offer the slices of another stack, all of them chosen, unless it has as many."""
        if n_slices == self._n_slices and self._last.maximum() == n_slices - 1:
            return
        self._n_slices = n_slices
        for box, number in ((self._first, 0), (self._last, n_slices - 1)):
            box.blockSignals(True)
            box.setRange(0, n_slices - 1)
            box.setValue(number)
            box.blockSignals(False)
        self.changed.emit()

    def value(self) -> tuple[int, int] | None:
        """Return the half-open bounds START, STOP; None for all slices."""
        bounds = (self._first.value(), self._last.value() + 1)
        return None if bounds == (0, self._n_slices) else bounds

    def set_value(self, value: object) -> None:
        """Show half-open bounds."""
        start, stop = (0, self._n_slices) if value is None else tuple(value)  # type: ignore[arg-type]
        self._first.setValue(start)
        self._last.setValue(stop - 1)


def editor_for(default: object, schema: dict[str, Any]) -> FieldEditor:
    """Make the editor of a field.

    Parameters
    ----------
    default : object
        Of the field of a parameter model.
    schema : dict
        Of this field, as in the model's JSON schema.
    """
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    may_be_unset = len(kinds) < len(schema.get("anyOf", [schema]))
    (kind, *others) = kinds
    if others or kind.get("type") not in ("boolean", "integer", "number", "string"):
        return TextEditor(default)
    if "enum" in kind:
        return ChoiceEditor([(str(value), value) for value in kind["enum"]])
    if kind["type"] == "boolean":
        return CheckEditor()
    if kind["type"] in ("integer", "number"):
        return NumberEditor(kind, may_be_unset=may_be_unset)
    return TextEditor(default)


def text_of(value: object) -> str:
    """Write a value as the command line does: bounds as A:B, several with commas between."""
    if value is None:
        return NOT_SET
    if isinstance(value, tuple | list):
        joint = "," if any(isinstance(part, tuple | list) for part in value) else ":"
        return joint.join(text_of(part) for part in value)
    return str(value)


def _is_same(one: object, other: object) -> bool:
    # Channel 1 is not channel "1", and nothing is equal to a layer but itself.
    return one is other or (type(one) is type(other) and one == other)


def narrow(box: QComboBox) -> None:
    """Let a combo box be narrower than its longest entry, and leave the wheel to scrolling."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    quiet_wheel(box)


def quiet_wheel(box: QComboBox | QAbstractSpinBox) -> None:
    """Let the wheel scroll the form, not change a value that the mouse passes over."""
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    box.installEventFilter(_WheelFilter(box))


class _WheelFilter(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False
