"""The buttons that start and stop a run, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff.estimate import words_for_seconds

if TYPE_CHECKING:
    from napari_gmff._napari.common.generator_run import RunState

_FINE = 1000
"""Steps of the bar; a run has from a dozen to millions."""

LONG_PREVIEW_S = 4.0
"""A preview that takes longer says so before it is started."""


class StartLabels(NamedTuple):
    """What a panel says.

    Attributes
    ----------
    start : str
        Title of the button that starts a run.
    start_tip, preview_tip : str
        What the buttons do.
    stages : mapping of str to str
        Words for the stages of a run, such as ``{"fuse": "Fusing"}``.
    """

    start: str
    start_tip: str
    preview_tip: str
    stages: Mapping[str, str]


class StartPanel(QWidget):
    """Preview, Start, Cancel and Clear, a bar and a line of words.

    Parameters
    ----------
    labels : StartLabels
        What is started.
    used_letters : set of str
        Mnemonics that are taken; those of the buttons are added.
    """

    preview_clicked = Signal()
    start_clicked = Signal()
    cancel_clicked = Signal()
    clear_clicked = Signal()

    def __init__(self, labels: StartLabels, used_letters: set[str]) -> None:
        super().__init__()
        self._stages = labels.stages
        self.preview = self._button("Preview", used_letters, self.preview_clicked)
        self._preview_title = self.preview.text()
        self.start = self._button(labels.start, used_letters, self.start_clicked)
        self.cancel = self._button("Cancel", used_letters, self.cancel_clicked)
        self.clear = self._button("Clear preview", used_letters, self.clear_clicked)
        self.start.setToolTip(f"<qt>{labels.start_tip}</qt>")
        self.preview.setToolTip(f"<qt>{labels.preview_tip}</qt>")
        self.cancel.setToolTip("Stop; nothing half-done is kept")
        self.clear.setToolTip("Remove the layers of the preview")
        self._bar = QProgressBar()
        self._bar.setRange(0, _FINE)
        self._words = Words()
        buttons = QGridLayout()
        buttons.setSpacing(4)
        for number, button in enumerate((self.preview, self.start, self.clear, self.cancel)):
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
        self.say(state_in_words(state, self._stages))

    def _update(self) -> None:
        self.cancel.setEnabled(self._is_running)
        self._bar.setVisible(self._is_running)
        for button in (self.preview, self.start):
            button.setEnabled(self._is_ready and not self._is_running)

    def _button(self, title: str, used_letters: set[str], signal: Signal) -> QPushButton:
        button = QPushButton(with_mnemonic(title, used_letters))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: signal.emit())
        return button


def state_in_words(state: RunState, stages: Mapping[str, str]) -> str:
    """Describe a run, such as ``"Fusing: 40 of 96 steps, 12 per second, about 5 s left"``."""
    words = stages.get(state.stage, state.stage.capitalize())
    if state.total < 2:
        return f"{words} …"
    words = f"{words}: {state.done} of {state.total} steps"
    if state.steps_per_s is None or state.seconds_left is None:
        return words
    left = words_for_seconds(state.seconds_left)
    return f"{words}, {state.steps_per_s:.2g} per second, {left} left"
