"""A progress bar with rate and time left on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_gmff.pipeline import Progress

_TITLES = {"measure": "Measuring", "fuse": "Fusing", "export": "Writing"}


@contextmanager
def progress_bar(*, hidden: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield a callback that shows `Progress`, one bar for each stage.

    Parameters
    ----------
    hidden : bool
        Show nothing.
    """
    from tqdm import tqdm

    bar: tqdm[None] | None = None
    stage = ""

    def show(progress: Progress) -> None:
        nonlocal bar, stage
        if progress.stage != stage:
            if bar is not None:
                bar.close()
            stage = progress.stage
            # In a log file, where every refresh is a line, a few are enough.
            interval = 0.1 if sys.stderr.isatty() else 10.0
            bar = tqdm(
                total=progress.total, desc=_TITLES[stage], unit="step", mininterval=interval
            )
        assert bar is not None
        bar.update(progress.done - bar.n)

    try:
        yield (lambda _: None) if hidden else show
    finally:
        if bar is not None:
            bar.close()
