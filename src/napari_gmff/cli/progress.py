"""Progress with rate and time left on stderr: a bar for people, seldom lines for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_gmff.pipeline import Progress
    from napari_gmff.restoration.progress import RestorationProgress
    from napari_gmff.restoration.self_test import SelfTestProgress

    AnyProgress = Progress | RestorationProgress | SelfTestProgress

_TITLES = {
    "measure": "Measuring",
    "check": "Checking",
    "fuse": "Fusing",
    "export": "Writing",
    "prepare": "Preparing",
    "restore": "Restoring",
    "back-project": "Back-projecting",
    "fuse all": "Fusing all",
    "fuse the rest": "Fusing the rest",
    "compare": "Comparing",
}

LOG_INTERVAL_S = 30.0
"""Between lines where stderr is a file or a pipe; a short run leaves none."""


@contextmanager
def progress_bar(*, hidden: bool) -> Iterator[Callable[[AnyProgress], None]]:
    """Yield a callback that shows `Progress`.

    Parameters
    ----------
    hidden : bool
        Show nothing.
    """
    if hidden:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield LogLines()
    else:
        bar = _Bar()
        try:
            yield bar
        finally:
            bar.close()


class LogLines:
    """Prints where the run stands as plain lines, never more often than `interval_s`."""

    def __init__(
        self,
        interval_s: float = LOG_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._printed_s = clock()
        self._stage = ""
        self._started_s = 0.0
        self._done_before = 0

    def __call__(self, progress: AnyProgress) -> None:
        """Take note, and print if it is time."""
        now_s = self._clock()
        if progress.stage != self._stage:
            self._stage, self._started_s = progress.stage, now_s
            self._done_before = progress.done
        if now_s - self._printed_s < self._interval_s or not progress.done:
            return
        self._printed_s = now_s
        # A resumed run does not begin at 0, and what was done before took none of this time.
        done_now, seconds = progress.done - self._done_before, now_s - self._started_s
        rate = done_now / seconds if seconds > 0 else 0.0
        left = f", {_clock_time((progress.total - progress.done) / rate)} left" if rate else ""
        print(
            f"{_TITLES[progress.stage]}: {progress.done} of {progress.total} steps, "
            f"{rate:.2g} per second{left}",
            file=sys.stderr,
            flush=True,
        )


class _Bar:
    """One bar that starts over with each stage and vanishes at the end."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __call__(self, progress: AnyProgress) -> None:
        from tqdm import tqdm

        if progress.stage != self._stage:
            self.close()
            self._stage = progress.stage
            title = _TITLES[self._stage]
            self._bar = tqdm(
                total=progress.total,
                initial=progress.done,
                desc=title,
                unit="step",
                leave=False,
            )
        self._bar.total = progress.total  # a model may say late how many steps it takes
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
