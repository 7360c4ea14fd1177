"""Long work in a thread of its own, watched from the window by a timer.

The thread leaves word of how far it is; nothing but the timer, which runs in the window's
thread, ever emits a signal. So the window hears of progress ten times a second however fast the
run is, and an error in the thread can neither get lost nor reach a layer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import create_worker
from napari.utils import cancelable_progress
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_gmff._napari.common.background import beside_others
from napari_gmff.errors import FusionCancelled, RestorationCancelled

POLL_MS = 100
"""Between two looks at the thread."""

ACTIVITY_STEPS = 50
"""Of the bar among napari's activities; each is dear, since napari then handles all events."""

Steps = Generator[Any, None, Any]
"""Yields progress, with ``stage``, ``done``, ``total`` and perhaps ``notes``; returns a value."""

MakeSteps = Callable[[Callable[[], bool]], Steps]
"""Makes the steps of a run from the function that tells it to stop."""


def stoppable(make_steps: MakeSteps) -> MakeSteps:
    """Stop steps that do not ask themselves whether to: they are closed between two of them.

    Parameters
    ----------
    make_steps : callable
        Makes steps that leave nothing behind when they are closed.

    Returns
    -------
    callable
        Makes steps that raise `RestorationCancelled` when told to stop.
    """

    def steps(should_stop: Callable[[], bool]) -> Steps:
        with closing(make_steps(should_stop)) as inner:
            while True:
                try:
                    progress = next(inner)
                except StopIteration as finished:
                    return finished.value
                yield progress
                if should_stop():
                    raise RestorationCancelled("stopped by the user")

    return steps


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Attributes
    ----------
    stage : str
        "prepare" until the first word of the work, then what it calls its stages.
    done, total : int
        Steps of this stage; total is 0 where it is not known yet.
    steps_per_s : float or None
        Rate of this stage so far, None until there is one.
    seconds_left : float or None
        Until this stage ends, at that rate.
    """

    stage: str
    done: int
    total: int
    steps_per_s: float | None = None
    seconds_left: float | None = None


class GeneratorRun(QObject):
    """A run in a worker thread; all its signals come in the window's thread.

    Parameters
    ----------
    title : str
        What runs, for napari's list of activities.
    make_steps : callable
        Called in the thread; see `MakeSteps`.
    parent : QObject, optional
        The run is abandoned together with it: it is told to stop, and its result closed.
    """

    progressed = Signal(RunState)
    noted = Signal(str)
    """Something the user should know, in words."""
    finished = Signal(object)
    """What the steps returned; the receiver closes it, where it can be closed."""
    failed = Signal(Exception)
    cancelled = Signal()

    def __init__(self, title: str, make_steps: MakeSteps, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job = self.make_job(title, make_steps)
        self._clock = _Clock()
        self._is_polling = False
        self._activity: cancelable_progress | None = None
        self._title = title
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._poll)
        # The job outlives this object where a window is closed while it runs.
        self.destroyed.connect(self._job.abandon)

    @property
    def is_running(self) -> bool:
        """Whether the run has been started and its end not been signalled yet."""
        return self._timer.isActive()

    @property
    def is_stopping(self) -> bool:
        """Whether the run was told to stop."""
        return self._job.should_stop()

    def start(self) -> None:
        """Start the thread."""
        self._activity = cancelable_progress(total=0, desc=self._title, gui=True)
        self._job.start()
        self._timer.start(POLL_MS)

    def cancel(self) -> None:
        """Tell the run to stop; `cancelled` comes when it has."""
        self._job.stop()

    def abandon(self) -> None:
        """Stop the run without any further signal, and close what it made."""
        self._end()
        self._job.abandon()

    def make_job(self, title: str, make_steps: MakeSteps) -> Job:
        """Make what lives in the thread; called once."""
        return Job(title, make_steps)

    def pass_on(self) -> None:
        """Emit signals of what the job has taken in since the last look, before `progressed`."""

    def _poll(self) -> None:
        """Pass on what the thread left."""
        # napari handles events whenever a bar of its activities moves, and so calls this again.
        if self._is_polling:
            return
        self._is_polling = True
        try:
            self._pass_on()
        finally:
            self._is_polling = False

    def _pass_on(self) -> None:
        job, is_done = self._job, self._job.is_done.is_set()
        if self._activity is not None and self._activity.is_canceled:
            self.cancel()
        while job.notes:
            self.noted.emit(job.notes.popleft())
        self.pass_on()
        state = self._clock.state(job.progress)
        self.progressed.emit(state)
        self._move_activity(state)
        if is_done and self.is_running:  # it may have been abandoned meanwhile
            self._end()
            self._emit_outcome()

    def _move_activity(self, state: RunState) -> None:
        activity = self._activity
        if activity is None or not state.total:
            return
        if activity.total != state.total:
            activity.reset(state.total)
        if state.done - activity.n >= state.total / ACTIVITY_STEPS:
            activity.update(state.done - activity.n)

    def _emit_outcome(self) -> None:
        job = self._job
        if job.error is None:
            result, job.result = job.result, None  # from here on it is the receiver's
            self.finished.emit(result)
        elif isinstance(job.error, FusionCancelled | RestorationCancelled):
            self.cancelled.emit()
        else:
            self.failed.emit(job.error)

    def _end(self) -> None:
        self._timer.stop()
        if self._activity is not None:
            self._activity.close()
            self._activity = None


class Job:
    """What lives in the thread. It holds no Qt object, since those may go before it does.

    Parameters
    ----------
    title : str
        What runs.
    make_steps : callable
        Called in the thread; see `MakeSteps`.
    """

    def __init__(self, title: str, make_steps: MakeSteps) -> None:
        self._title = title
        self._make_steps: MakeSteps | None = make_steps
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._is_abandoned = False
        self._worker: Any = None
        self.is_done = threading.Event()
        self.progress: Any = None
        self.notes: deque[str] = deque()
        self.result: Any = None
        self.error: Exception | None = None

    def __repr__(self) -> str:
        """Name the run: napari asks with these words whether to close its window."""
        return self._title

    def start(self) -> None:
        """Start the thread."""
        self._worker = create_worker(self, _start_thread=False)
        self._worker.start()

    def stop(self) -> None:
        """Tell the work to stop."""
        self._stop.set()

    def should_stop(self) -> bool:
        """Whether the work was told to stop."""
        # napari tells its workers to quit when its window is closed.
        return self._stop.is_set() or (self._worker is not None and self._worker.abort_requested)

    def abandon(self) -> None:
        """Stop; whatever comes of it is nobody's."""
        self.stop()
        with self._lock:
            self._is_abandoned = True
            result = self.result
        _close(result)

    def __call__(self) -> None:
        """Run, in the thread. Nothing is raised: napari would show it a second time."""
        try:
            with beside_others():
                self._keep(self._run())
        except Exception as error:
            self.error = error
        finally:
            # Whatever the steps hold open, such as the files of the stack, may be closed now.
            self._make_steps = None
            self._worker = None
            self.is_done.set()

    def take(self, progress: Any) -> None:
        """Take in a step, in the thread."""

    def _run(self) -> Any:
        assert self._make_steps is not None
        with closing(self._make_steps(self.should_stop)) as steps:
            while True:
                try:
                    progress = next(steps)
                except StopIteration as finished:
                    return finished.value
                self.take(progress)
                self.notes.extend(getattr(progress, "notes", ()))
                self.progress = progress

    def _keep(self, result: Any) -> None:
        with self._lock:
            if not self._is_abandoned:
                self.result = result
                return
        _close(result)


class _Clock:
    """Turns steps into a rate and the time left."""

    def __init__(self) -> None:
        self._stage = ""
        self._started_s = 0.0

    def state(self, progress: Any) -> RunState:
        if progress is None:
            return RunState("prepare", 0, 0)
        if progress.stage != self._stage:
            self._stage, self._started_s = progress.stage, time.monotonic()
        seconds = time.monotonic() - self._started_s
        if not progress.done or seconds <= 0:
            return RunState(progress.stage, progress.done, progress.total)
        rate = progress.done / seconds
        left = (progress.total - progress.done) / rate
        return RunState(progress.stage, progress.done, progress.total, rate, left)


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        result.close()
