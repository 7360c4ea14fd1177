"""Lets a result follow what is painted: in a thread, only where something changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QObject

from napari_gmff.corrected_pixels import place_of
from napari_gmff.corrected_result import CorrectedResult
from napari_gmff.correction_labels import only_known, slice_numbers
from napari_gmff.export.working import CHUNK_PX
from napari_gmff.failures import only_our_errors
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.live_images import LiveImages, Place
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

Change = tuple[int, "Place"]
"""A part of the result that has changed: time point, and (rows, columns)."""


@dataclass
class _State:
    """What the thread and the window share."""

    original: FusionResult
    stack: FocusStack
    images: LiveImages
    labels: NDArray[Any] | None = None
    time: int = 0
    is_behind: bool = False
    is_ended: bool = False
    live: CorrectedResult | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def catches_up(self) -> bool:
        """Whether there was something new since the last time this was asked."""
        with self.lock:
            was_behind, self.is_behind = self.is_behind and not self.is_ended, False
            return was_behind


class CorrectionFollower(QObject):
    """Compares labels with what is applied and corrects what differs.

    The labels themselves say what is to be done, not the strokes: none can get lost, and where
    many come in while a part is read, only the latest state is made.

    Parameters
    ----------
    original : FusionResult
        The result as it was fused.
    stack : FocusStack
        What it was made from.
    images : LiveImages
        Receives the corrected pixels, in the thread.
    """

    started = Signal(object)
    """The `CorrectedResult`, when the first correction is about to be made."""
    changed = Signal(int, object)
    """A part of the images has changed: time point, and (rows, columns)."""
    failed = Signal(Exception)
    """Why the result could not follow; it will be tried again with the next stroke."""
    settled = Signal()
    """All that was painted is applied and written to the store."""

    def __init__(self, original: FusionResult, stack: FocusStack, images: LiveImages) -> None:
        super().__init__()
        self._state = _State(original, stack, images)
        self._is_running = False

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way."""
        return not self._is_running and not self._state.is_behind

    @property
    def live(self) -> CorrectedResult | None:
        """The corrected result; None before the first correction."""
        return self._state.live

    def follow(self, labels: NDArray[Any], time: int = 0) -> None:
        """Catch up with labels.

        Parameters
        ----------
        labels : ndarray
            Axes (T)YX; may be painted in while it is read. Labels that name no slice change
            nothing.
        time : int
            The time point that is seen, which comes first.
        """
        if self._state.is_ended:
            return
        with self._state.lock:
            self._state.labels, self._state.time = labels, time
            self._state.is_behind = True
        if not self._is_running:
            self._start()

    def end(self) -> None:
        """Stop within one tile and delete the corrected result; nothing is emitted any more."""
        with self._state.lock:
            self._state.is_ended = True
            live = self._state.live
        if live is not None:
            live.close()

    def _start(self) -> None:
        self._is_running = True
        worker = create_worker(_correct_focus_map, self._state, _start_thread=False)
        worker.yielded.connect(self._receive)
        worker.finished.connect(self._finish)
        worker.start()

    def _receive(self, news: CorrectedResult | Change | Exception) -> None:
        if self._state.is_ended:
            return
        if isinstance(news, CorrectedResult):
            self.started.emit(news)
        elif isinstance(news, Exception):
            self.failed.emit(news)
        else:
            self.changed.emit(*news)

    def _finish(self) -> None:
        self._is_running = False
        if self._state.is_ended:
            return
        # A stroke that came in after the thread had looked for the last time.
        if self._state.is_behind:
            self._start()
        else:
            self.settled.emit()


def _correct_focus_map(state: _State) -> Iterator[CorrectedResult | Change | Exception]:
    # Not raised: napari would show it with a traceback, and a RuntimeError can get lost.
    try:
        with only_our_errors(state.stack.name):
            yield from _steps(state)
    except Exception as error:
        yield error


def _steps(state: _State) -> Iterator[CorrectedResult | Change]:
    live = state.live
    if live is None:
        live = CorrectedResult(state.original, state.stack)
        with state.lock:
            state.live = live
        yield live
    while state.catches_up():
        for time, place, labels in _differences(state, live):
            if state.is_ended:
                break
            for name, block in live.correct(time, place, labels).items():
                if name in state.images.specs:
                    state.images.put(name, time, place, block)
            yield time, place
    if state.is_ended:
        live.close()
    else:
        live.flush()


def _differences(state: _State, live: CorrectedResult) -> Iterator[tuple[int, Place, NDArray[Any]]]:
    """Yield the parts whose labels are not those applied, with their labels."""
    with state.lock:
        labels, first = state.labels, state.time
    assert labels is not None
    numbers = slice_numbers(live)
    has_time = labels.ndim == 3
    for time in sorted(range(len(labels) if has_time else 1), key=lambda time: time != first):
        painted, done = (one[time] if has_time else one for one in (labels, live.labels))
        for box in _changed_boxes(painted, done, numbers):
            yield time, box.slices, only_known(painted[box.slices], numbers)


def _changed_boxes(painted: NDArray[Any], done: NDArray[Any], numbers: list[int]) -> list[Box]:
    """Return where labels differ: in one box if it is not large, else one for each tile."""
    boxes = []
    for tile in tiles(done.shape, CHUNK_PX):
        labels, applied = painted[tile.slices], done[tile.slices]
        if np.array_equal(labels, applied):
            continue
        differs = only_known(labels, numbers) != applied
        if differs.any():
            rows, columns = place_of(differs)
            box = Box(rows.start, rows.stop, columns.start, columns.stop)
            boxes.append(box.shifted(tile.y0, tile.x0))
    if not boxes:
        return []
    y0, y1, x0, x1 = np.array(boxes).T
    whole = Box(int(y0.min()), int(y1.max()), int(x0.min()), int(x1.max()))
    # A stroke over the border of tiles is read, written and drawn once.
    return [whole] if max(whole.shape) <= CHUNK_PX else boxes
