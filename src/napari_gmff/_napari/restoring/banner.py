"""The banner that no page of the dock is without."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_gmff.marks import BANNER

AMBER, INK = "#ffbf00", "#1a1200"
"""Their contrast is 12 to 1, in every theme: neither comes from it."""


class Banner(QLabel):
    """Says in black on amber that nothing here is a measurement."""

    def __init__(self) -> None:
        super().__init__(BANNER)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        # napari's theme would set another colour for every label.
        self.setStyleSheet(
            f"QLabel {{ background-color: {AMBER}; color: {INK}; font-weight: bold; "
            "padding: 6px; border-radius: 3px; }"
        )
