"""Functions that report through a callback, as steps that can be stopped between reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any


@dataclass(frozen=True)
class CallProgress:
    """How far a call is.

    Attributes
    ----------
    stage : str
        What it does.
    done, total : int
        Of whatever it counts; `total` is 0 where it is not known.
    """

    stage: str
    done: int
    total: int


class _Stopped(BaseException):
    """Ends the call from within its callback; no error, so that nobody handles it as one."""


def steps_of_call(
    stage: str, function: Callable[[Callable[[int, int | None], None]], Any]
) -> Generator[CallProgress, None, Any]:
    """Call a function in a thread, and yield what it reports.

    Closing the generator stops the function at its next report, and waits for that.

    Parameters
    ----------
    stage : str
        What the function does.
    function : callable
        Called with ``report(done, total or None)``.

    Yields
    ------
    CallProgress
        For each report.

    Returns
    -------
    object
        What the function returned.
    """
    reports: SimpleQueue[CallProgress | None] = SimpleQueue()
    is_stopped = threading.Event()
    outcome: list[Any] = []
    errors: list[BaseException] = []

    def report(done: int, total: int | None) -> None:
        if is_stopped.is_set():
            raise _Stopped
        reports.put(CallProgress(stage, done, total or 0))

    def call() -> None:
        try:
            outcome.append(function(report))
        except _Stopped:
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            reports.put(None)

    thread = threading.Thread(target=call, name=stage, daemon=True)
    thread.start()
    try:
        while (progress := reports.get()) is not None:
            yield progress
    finally:
        is_stopped.set()
        thread.join()
    if errors:
        raise errors[0]
    return outcome[0]
