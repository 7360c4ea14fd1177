"""A dialog that asks which images of a file to open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_gmff.summary import summary_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_gmff._napari.layers.stack_layers import StackSource

_ROWS_SHOWN = 12


class SeriesPicker(QDialog):
    """Lists the series of a file with their sizes; any number can be picked.

    Parameters
    ----------
    sources : sequence of StackSource
        The series, in the order of the file.
    parent : QWidget, optional
        Window that the dialog belongs to.
    """

    def __init__(self, sources: Sequence[StackSource], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose what to open")
        self._sources = list(sources)
        text = QLabel(f"{sources[0].stack.name} holds {len(sources)} &images. Open which of them?")
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        self.list = QListWidget()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setSpacing(2)
        self.list.setToolTip("Hold Ctrl or Shift to pick several, Ctrl+A for all.")
        for source in sources:
            self.list.addItem(QListWidgetItem(f"{source.name}\n{summary_of(source.stack)}"))
        self.list.setCurrentRow(0)
        row_px = self.list.sizeHintForRow(0)
        self.list.setMinimumHeight(row_px * min(len(sources), _ROWS_SHOWN) + 8)
        self.list.setMinimumWidth(min(self.list.sizeHintForColumn(0) + 40, 640))
        text.setBuddy(self.list)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Open | standard.Cancel)
        self.open_button = self.buttons.button(standard.Open)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.list.itemSelectionChanged.connect(self._on_selection)
        self.list.itemDoubleClicked.connect(self.accept)
        layout = QVBoxLayout(self)
        for part in (text, self.list, self.buttons):
            layout.addWidget(part)

    def picked(self) -> list[StackSource]:
        """Return the series that are marked, in the order of the file."""
        rows = sorted(index.row() for index in self.list.selectedIndexes())
        return [self._sources[row] for row in rows]

    def _on_selection(self) -> None:
        self.open_button.setEnabled(bool(self.list.selectedIndexes()))


def pick_series(sources: list[StackSource]) -> list[StackSource]:
    """Ask which series to open; none if the dialog is cancelled."""
    dialog = SeriesPicker(sources, QApplication.activeWindow())
    try:
        return dialog.picked() if dialog.exec() else []
    finally:
        dialog.deleteLater()
