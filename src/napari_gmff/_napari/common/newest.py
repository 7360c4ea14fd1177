"""Work that follows a slider or a brush: one piece at a time, and then only the newest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QObject

from napari_gmff._napari.common.background import Background


class Newest(QObject):
    """Calls functions in a thread, never two at once.

    What is asked while one runs waits, and is dropped for what is asked after it. So work piles up
    behind no slider, every answer is shown as it comes, and the last one asked for always comes.
    """

    answered = Signal(object)
    """What the function returned; in the window's thread."""
    failed = Signal(Exception)
    """What it raised instead."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = Background(self)
        self._background.answered.connect(self._on_answered)
        self._background.failed.connect(self._on_failed)
        self._next: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._background.is_busy or self._next is not None

    def ask(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in a thread, now or as soon as the one that runs is done."""
        if self._background.is_busy:
            self._next = (function, args)
        else:
            self._background.ask(function, *args)

    def forget(self) -> None:
        """Drop the answers that are still to come."""
        self._next = None
        self._background.forget()

    def _on_answered(self, value: Any) -> None:
        self._go_on()
        self.answered.emit(value)

    def _on_failed(self, error: Exception) -> None:
        self._go_on()
        self.failed.emit(error)

    def _go_on(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None:
            self._background.ask(waiting[0], *waiting[1])
