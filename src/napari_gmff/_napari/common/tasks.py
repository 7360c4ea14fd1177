"""Work that napari lists among its activities while a thread does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker

from napari_gmff._napari.common.background import beside_others
from napari_gmff._napari.common.notices import show_failure

if TYPE_CHECKING:
    from napari.qt.threading import FunctionWorker


def start_task(
    title: str,
    function: Callable[..., Any],
    *args: Any,
    done: Callable[[Any], object],
    failed: Callable[[Exception], object] = show_failure,
    **kwargs: Any,
) -> FunctionWorker:
    """Call a function in a thread.

    Parameters
    ----------
    title : str
        What is done, for napari's list of activities, and for its question whether to close the
        window all the same.
    function : callable
        Must not touch layers or widgets.
    *args, **kwargs
        For the function.
    done : callable
        Called in the window's thread with what the function returned.
    failed : callable
        Called there with what it raised instead; a notification where left out.

    Returns
    -------
    FunctionWorker
        Already started.
    """

    def receive(outcome: _Outcome) -> None:
        if outcome.error is not None:
            failed(outcome.error)
        else:
            done(outcome.value)

    return create_worker(
        _Call(title, function, args, kwargs),
        _progress={"desc": title},
        _connect={"returned": receive},
    )


@dataclass(frozen=True)
class _Outcome:
    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class _Call:
    title: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.title

    def __call__(self) -> _Outcome:
        # Not raised: with PySide6, napari's own listeners fail at the error of a worker.
        try:
            with beside_others():
                return _Outcome(self.function(*self.args, **self.kwargs))
        except Exception as error:
            return _Outcome(error=error)
