"""Questions whose answers take a while: asked in a thread, answered in the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QObject, QThreadPool


@contextmanager
def beside_others() -> Iterator[None]:
    """Let as many other workers run as if this one did not.

    Qt runs no more workers at once than there are processors. On one or two of them, a run of
    minutes would keep all others waiting: the focus curve under the cursor, or what is saved.
    """
    pool = QThreadPool.globalInstance()
    pool.releaseThread()
    try:
        yield
    finally:
        pool.reserveThread()


class _Answer(NamedTuple):
    number: int
    value: Any
    error: Exception | None


class Background(QObject):
    """Calls functions in a thread; only the answer to the latest call counts.

    Functions must not touch layers or widgets. An answer that comes after this object was deleted
    is dropped.
    """

    answered = Signal(object)
    """What the function returned."""
    failed = Signal(Exception)
    """What it raised instead."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._number = 0
        self._is_busy = False

    @property
    def is_busy(self) -> bool:
        """Whether the answer to the latest call is still to come."""
        return self._is_busy

    def ask(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in a thread."""
        self._number += 1
        self._is_busy = True
        worker = create_worker(_Call(self._number, function, args), _start_thread=False)
        worker.returned.connect(self._receive)
        worker.start()

    def forget(self) -> None:
        """Drop the answer that is still to come."""
        self._number += 1
        self._is_busy = False

    def _receive(self, answer: _Answer) -> None:
        if answer.number != self._number:
            return
        self._is_busy = False
        if answer.error is not None:
            self.failed.emit(answer.error)
        else:
            self.answered.emit(answer.value)


class _Call:
    def __init__(self, number: int, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._number = number
        self._function = function
        self._args = args

    def __repr__(self) -> str:
        """Name the call: napari asks with these words whether to close its window."""
        return getattr(self._function, "__name__", "a call").replace("_", " ").strip()

    def __call__(self) -> _Answer:
        # Not raised: napari would show it with a traceback, and a RuntimeError can get lost.
        try:
            with beside_others():
                return _Answer(self._number, self._function(*self._args), None)
        except Exception as error:
            return _Answer(self._number, None, error)
