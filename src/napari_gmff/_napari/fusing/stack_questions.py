"""Asks what a layer does not say of a stack: which axis is Z, and how far apart slices are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLabel, QWidget

from napari_gmff._napari.common.field_editors import NOT_SET, ChoiceEditor, quiet_wheel
from napari_gmff._napari.common.words import with_mnemonic
from napari_gmff._napari.layers.stack_views import finest

if TYPE_CHECKING:
    from napari_gmff._napari.layers.stack_views import StackView

_TIME = "time"


@dataclass
class Answers:
    """What the user, or the canvas, said about a layer.

    Attributes
    ----------
    displayed : tuple of int
        Its dimensions on the canvas when it was first seen.
    z_axis : int or None
        The dimension that the user says is Z.
    is_time : bool
        Whether the user says that there is no Z, but time.
    z_step_um : float or None
        Distance between slices that the user entered.
    """

    displayed: tuple[int, ...] = ()
    z_axis: int | None = None
    is_time: bool = False
    z_step_um: float | None = None


class StackQuestions(QWidget):
    """Two rows that are there only where something is to be asked.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of the labels are added.
    """

    answered = Signal()
    """The user answered; `Answers` of the layer have changed."""

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self._answers = Answers()
        self._axis = ChoiceEditor([])
        self._step = QDoubleSpinBox()
        self._step.setRange(0, 1e6)
        self._step.setDecimals(4)
        self._step.setSingleStep(0.1)
        self._step.setSuffix(" µm")
        self._step.setSpecialValueText(NOT_SET)
        self._step.setKeyboardTracking(False)
        quiet_wheel(self._step)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(6)
        self._form.setVerticalSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._add_row(
            "Axis of the slices",
            self._axis,
            "The layer does not say which of its axes runs through the slices.",
            used_letters,
        )
        self._add_row(
            "Slice step",
            self._step,
            "Distance between two slices. Without it, depth is counted in slices.",
            used_letters,
        )
        self._axis.changed.connect(self._on_axis)
        self._step.valueChanged.connect(self._on_step)
        self.ask(None, self._answers)

    def ask(self, view: StackView | None, answers: Answers) -> None:
        """Show the questions that are open, with the answers so far.

        Parameters
        ----------
        view : StackView or None
            The stack; None where there is none.
        answers : Answers
            Of its layer; changed when the user answers.
        """
        self._answers = answers
        asks_axis = (
            view is not None
            and view.layer.ndim > 2
            and bool(view.axes.candidates)
            and (answers.z_axis is not None or answers.is_time or not view.is_certain)
        )
        is_stack = view is not None and not view.problems and not answers.is_time
        asks_step = is_stack and view is not None and view.unknown_step
        self._axis.blockSignals(True)
        self._step.blockSignals(True)
        if asks_axis and view is not None:
            self._offer_axes(view)
        self._step.setValue(answers.z_step_um or 0)
        self._axis.blockSignals(False)
        self._step.blockSignals(False)
        self._form.setRowVisible(self._axis, asks_axis)
        self._form.setRowVisible(self._step, asks_step)
        self.setVisible(asks_axis or asks_step)

    def enter_step(self, z_step_um: float) -> None:
        """Take a distance between slices in µm as if it had been typed in, where it is asked."""
        if self._form.isRowVisible(self._step):
            self._step.setValue(z_step_um)

    def _offer_axes(self, view: StackView) -> None:
        shape = finest(view.layers[0]).shape
        labels = view.layer.axis_labels
        choices = [(_words(labels[axis], axis, shape[axis]), axis) for axis in view.axes.candidates]
        self._axis.set_choices([*choices, ("none: it is time", _TIME)])
        self._axis.set_value(_TIME if self._answers.is_time else view.axes.z_axis)

    def _add_row(self, title: str, editor: QWidget, tooltip: str, used_letters: set[str]) -> None:
        label = QLabel(with_mnemonic(title, used_letters))
        label.setBuddy(editor)
        for widget in (label, editor):
            widget.setToolTip(f"<qt>{tooltip}</qt>")
        (editor.focusProxy() or editor).setAccessibleName(title)
        self._form.addRow(label, editor)

    def _on_axis(self) -> None:
        chosen = self._axis.chosen
        self._answers.is_time = chosen == _TIME
        self._answers.z_axis = chosen if isinstance(chosen, int) else None
        self.answered.emit()

    def _on_step(self, value: float) -> None:
        self._answers.z_step_um = value or None
        self.answered.emit()


def _words(label: str, axis: int, length: int) -> str:
    # napari labels axes that nobody named -3, -2 and so on.
    name = f"axis {axis}" if label.lstrip("-").isdigit() else label
    return f"{name}, {length} long"
