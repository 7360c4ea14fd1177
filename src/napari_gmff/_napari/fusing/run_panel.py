"""The buttons that start and stop a run, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff.estimate import words_for_seconds

if TYPE_CHECKING:
    from napari_gmff._napari.common.generator_run import RunState

_STAGES = {"prepare": "Getting ready", "measure": "Measuring", "fuse": "Fusing"}

_FINE = 1000
"""Steps of the bar; a run has from a dozen to millions."""


LONG_PREVIEW_S = 4.0
"""A preview that takes longer says so before it is started."""


class RunPanel(QWidget):
    """Preview, Fuse, Cancel and Clear, a bar and a line of words.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; those of the buttons are added.
    """

    preview_clicked = Signal()
    fuse_clicked = Signal()
    cancel_clicked = Signal()
    clear_clicked = Signal()

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self.preview = self._button("Preview", used_letters, self.preview_clicked)
        self._preview_title = self.preview.text()
        self.fuse = self._button("Fuse", used_letters, self.fuse_clicked)
        self.cancel = self._button("Cancel", used_letters, self.cancel_clicked)
        self.clear = self._button("Clear preview", used_letters, self.clear_clicked)
        self.fuse.setToolTip("Fuse the whole stack, or the region chosen above, into new layers")
        self.preview.setToolTip(
            "<qt>Fuse only the part of the image in view, as temporary layers. Near its borders it "
            "may differ a little from the full run.</qt>"
        )
        self.cancel.setToolTip("Stop; nothing half-done is kept")
        self.clear.setToolTip("Remove the layers of the preview")
        self._bar = QProgressBar()
        self._bar.setRange(0, _FINE)
        self._words = Words()
        buttons = QGridLayout()
        buttons.setSpacing(4)
        for number, button in enumerate((self.preview, self.fuse, self.clear, self.cancel)):
            buttons.addWidget(button, number // 2, number % 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self._bar)
        layout.addWidget(self._words)
        self._is_running = self._is_ready = False
        self._update()
        self.set_preview_shown(False)

    @property
    def words(self) -> str:
        """What is said about the run."""
        return self._words.words

    def set_ready(self, is_ready: bool) -> None:
        """Let runs be started or not."""
        self._is_ready = is_ready
        self._update()

    def set_running(self, is_running: bool) -> None:
        """Show the bar while something runs; one run at a time."""
        self._is_running = is_running
        self._bar.setRange(0, 0)
        self._update()

    def set_preview_estimate(self, seconds: float | None) -> None:
        """Say on the button how long a preview will take, where that is long."""
        words = ""
        if seconds is not None and seconds > LONG_PREVIEW_S:
            words = f" ({words_for_seconds(seconds)})"
        self.preview.setText(f"{self._preview_title}{words}")

    def set_preview_shown(self, shown: bool) -> None:
        """Let the layers of a preview be cleared, where there are any."""
        self.clear.setEnabled(shown)

    def say(self, text: str) -> None:
        """Show words below the bar."""
        self._words.say(text)

    def show_state(self, state: RunState) -> None:
        """Show how far a run is, its rate and the time left."""
        if state.total:
            self._bar.setRange(0, _FINE)
            self._bar.setValue(round(_FINE * state.done / state.total))
        self.say(state_in_words(state))

    def _update(self) -> None:
        self.cancel.setEnabled(self._is_running)
        self._bar.setVisible(self._is_running)
        for button in (self.preview, self.fuse):
            button.setEnabled(self._is_ready and not self._is_running)

    def _button(self, title: str, used_letters: set[str], signal: Signal) -> QPushButton:
        button = QPushButton(with_mnemonic(title, used_letters))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: signal.emit())
        return button


def state_in_words(state: RunState) -> str:
    """Describe a run, such as ``"Fusing: 40 of 96 steps, 12 per second, about 5 s left"``."""
    words = _STAGES.get(state.stage, state.stage.capitalize())
    if not state.total:
        return f"{words} …"
    words = f"{words}: {state.done} of {state.total} steps"
    if state.steps_per_s is None or state.seconds_left is None:
        return words
    left = words_for_seconds(state.seconds_left)
    return f"{words}, {state.steps_per_s:.2g} per second, {left} left"
