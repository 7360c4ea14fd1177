"""Text that is read and copied, as high as it needs up to a limit, and scrolls beyond."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QTextOption
from qtpy.QtWidgets import QPlainTextEdit

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent


class ReadOnlyText(QPlainTextEdit):
    """Plain text whose long addresses and sums wrap too.

    Parameters
    ----------
    text : str
        What is shown.
    most_px : int
        Greatest height.
    name : str
        For screen readers.
    """

    def __init__(self, text: str, most_px: int, name: str) -> None:
        super().__init__(text)
        self._most_px = most_px
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setAccessibleName(name)
        self.setFixedHeight(most_px)
        # Not at once: Qt may be laying out the widgets around.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.fit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the height to the lines that the new width makes."""
        super().resizeEvent(event)
        self._later.start(0)

    def fit(self) -> None:
        """Take the height that the text needs."""
        document = self.document()
        needed, block = 2 * document.documentMargin(), document.begin()
        while block.isValid():
            needed += self.blockBoundingRect(block).height()
            block = block.next()
        around = self.height() - self.viewport().height()
        height = min(ceil(needed) + around, self._most_px)
        if height != self.height():
            self.setFixedHeight(height)
