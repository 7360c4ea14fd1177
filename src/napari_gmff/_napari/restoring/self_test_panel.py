"""The part of the dock that tries restoration on slices that were measured."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_gmff._napari.common.words import Words, with_mnemonic

WHAT_IT_DOES = (
    "Leaves out the middle third of the slices, fuses the rest, restores that, and compares with "
    "what the full stack measured."
)
NEEDS_STACK = "A saved fusion has no stack to test on: open the stack and fuse it."


class SelfTestPanel(QWidget):
    """A button and the verdict.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of the buttons are added.

    Attributes
    ----------
    button : QPushButton
        Starts the test.
    copy : QPushButton
        Copies the verdict.
    """

    clicked = Signal()

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self.button = QPushButton(with_mnemonic("Test on this stack", used_letters))
        self.copy = QPushButton(with_mnemonic("Copy verdict", used_letters))
        for button in (self.button, self.copy):
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(lambda: self.clicked.emit())
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.verdict))
        self.copy.setEnabled(False)
        self._what = Words(text=WHAT_IT_DOES)
        self._verdict = Words()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.button)
        row.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._what)
        layout.addLayout(row)
        layout.addWidget(self._verdict)

    @property
    def verdict(self) -> str:
        """What the last test found, in words; empty before one."""
        return self._verdict.words

    def set_ready(self, is_ready: bool, *, has_stack: bool) -> None:
        """Let the test be started or not."""
        self.button.setEnabled(is_ready and has_stack)
        self._what.say(WHAT_IT_DOES if has_stack else NEEDS_STACK)

    def show_verdict(self, verdict: str) -> None:
        """Show what a test found; nothing where it is about another stack now."""
        self._verdict.say(verdict)
        self.copy.setEnabled(bool(verdict))
