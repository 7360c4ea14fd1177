"""A fusion in a thread of its own, watched from the window by a timer.

The thread fills arrays and leaves word of it; nothing but the timer, which runs in the window's
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
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from napari.utils import cancelable_progress
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_gmff._napari.common.background import beside_others
from napari_gmff.errors import FusionCancelled
from napari_gmff.live_images import LiveImages

if TYPE_CHECKING:
    from napari_gmff.pipeline import Progress
    from napari_gmff.results import FusionResult, Geometry

POLL_MS = 100
"""Between two looks at the thread."""

ACTIVITY_STEPS = 50
"""Of the bar among napari's activities; each is dear, since napari then handles all events."""

Steps = Generator["Progress", None, "FusionResult"]
MakeSteps = Callable[[Callable[[], bool]], Steps]
"""Makes the steps of a run from the function that tells it to stop."""


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Attributes
    ----------
    stage : str
        "prepare", "measure" or "fuse".
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


class FusionRun(QObject):
    """A run in a worker thread; all its signals come in the window's thread.

    Parameters
    ----------
    title : str
        What runs, for napari's list of activities.
    make_steps : callable
        Called in the thread; see `MakeSteps`.
    parent : QObject, optional
        The run is abandoned together with it: it is told to stop, and its result deleted.
    """

    announced = Signal(object, object)
    """`LiveImages` that will fill, and the `Geometry` of the result."""
    progressed = Signal(RunState)
    window_done = Signal()
    """Pixels came in since the last look."""
    noted = Signal(str)
    """Something the user should know, in words."""
    finished = Signal(object)
    """The `FusionResult`; the receiver closes it."""
    failed = Signal(Exception)
    cancelled = Signal()

    def __init__(self, title: str, make_steps: MakeSteps, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job = _Job(title, make_steps)
        self._clock = _Clock()
        self._windows_seen = 0
        self._is_announced = self._is_polling = False
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
        """Tell the run to stop; `cancelled` comes when it has, within one slice of a window."""
        self._job.stop()

    def abandon(self) -> None:
        """Stop the run without any further signal, and delete what it made."""
        self._end()
        self._job.abandon()

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
        if job.images is not None and not self._is_announced:
            self._is_announced = True
            self.announced.emit(job.images, job.geometry)
        while job.notes:
            self.noted.emit(job.notes.popleft())
        if job.n_windows > self._windows_seen:
            self._windows_seen = job.n_windows
            self.window_done.emit()
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
        result, job.result = job.result, None  # from here on it is the receiver's
        if result is not None:
            self.finished.emit(result)
        elif isinstance(job.error, FusionCancelled):
            self.cancelled.emit()
        else:
            self.failed.emit(job.error)

    def _end(self) -> None:
        self._timer.stop()
        if self._activity is not None:
            self._activity.close()
            self._activity = None


class _Job:
    """What lives in the thread. It holds no Qt object, since those may go before it does."""

    def __init__(self, title: str, make_steps: MakeSteps) -> None:
        self._title = title
        self._make_steps: MakeSteps | None = make_steps
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._is_abandoned = False
        self._worker: Any = None
        self.is_done = threading.Event()
        self.progress: Progress | None = None
        self.images: LiveImages | None = None
        self.geometry: Geometry | None = None
        self.n_windows = 0
        self.notes: deque[str] = deque()
        self.result: FusionResult | None = None
        self.error: Exception | None = None

    def __repr__(self) -> str:
        """Name the run: napari asks with these words whether to close its window."""
        return self._title

    def start(self) -> None:
        self._worker = create_worker(self, _start_thread=False)
        self._worker.start()

    def stop(self) -> None:
        self._stop.set()

    def should_stop(self) -> bool:
        # napari tells its workers to quit when its window is closed.
        return self._stop.is_set() or (self._worker is not None and self._worker.abort_requested)

    def abandon(self) -> None:
        """Stop; whatever comes of it is nobody's."""
        self.stop()
        with self._lock:
            self._is_abandoned = True
            result = self.result
        if result is not None:
            result.close()

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

    def _run(self) -> FusionResult:
        assert self._make_steps is not None
        with closing(self._make_steps(self.should_stop)) as steps:
            while True:
                try:
                    progress = next(steps)
                except StopIteration as finished:
                    result: FusionResult = finished.value
                    return result
                self._take(progress)

    def _take(self, progress: Progress) -> None:
        if progress.images is not None:
            self.geometry = progress.geometry
            self.images = LiveImages(progress.images.values())
        window = progress.window
        if window is not None and self.images is not None:
            for name, block in window.blocks.items():
                self.images.put(name, window.time, window.place, block)
            self.n_windows += 1
        self.notes.extend(getattr(progress, "notes", ()))
        self.progress = progress

    def _keep(self, result: FusionResult) -> None:
        with self._lock:
            if not self._is_abandoned:
                self.result = result
                return
        result.close()


class _Clock:
    """Turns steps into a rate and the time left."""

    def __init__(self) -> None:
        self._stage = ""
        self._started_s = 0.0

    def state(self, progress: Progress | None) -> RunState:
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
