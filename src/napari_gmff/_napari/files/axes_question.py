"""Asks for the axes of a file that does not say them, or says them wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_gmff.errors import SourceError

_WIDTH_PX = 420


class AxesQuestion(QDialog):
    """Shows why a file cannot be read, and takes the axes that it should be read with.

    Parameters
    ----------
    problem : str
        The sentence of the error.
    parent : QWidget, optional
        Window that the dialog belongs to.
    """

    def __init__(self, problem: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which axes are these?")
        self.setMinimumWidth(_WIDTH_PX)
        # What the sentence says to programmers, the field below says to people.
        said = QLabel(problem.replace("with axes=", "below"))
        said.setTextFormat(Qt.TextFormat.PlainText)
        said.setWordWrap(True)
        label = QLabel("&Axes, one letter for each, slowest first:")
        self.axes = QLineEdit("ZYX")
        self.axes.selectAll()
        self.axes.setToolTip(
            "<qt>Z slices, Y and X pixels, T time points, C channels, S colour samples, such as "
            "ZYX, TZYX or ZCYX.</qt>"
        )
        label.setBuddy(self.axes)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Open | standard.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for part in (said, label, self.axes, self.buttons):
            layout.addWidget(part)
        self.axes.setFocus()


def is_about_axes(error: BaseException) -> bool:
    """Whether naming the axes may make a source readable."""
    return "axes=" in str(error)


def ask_axes(error: SourceError) -> str | None:
    """Ask for the axes of the source that an error is about; None if the dialog is cancelled."""
    dialog = AxesQuestion(str(error), QApplication.activeWindow())
    try:
        is_answered = bool(dialog.exec())
        return (dialog.axes.text().strip() or None) if is_answered else None
    finally:
        dialog.deleteLater()
