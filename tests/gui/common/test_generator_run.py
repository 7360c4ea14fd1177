"""Steps of any kind run in a thread; those that do not ask are stopped between two of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_gmff._napari.common.generator_run import GeneratorRun, stoppable
from napari_gmff.errors import RestorationCancelled
from tests.gui.fusion_dock import WAIT_MS


class Closable:
    is_closed = False

    def close(self):
        self.is_closed = True


def steps_without_asking(closed):
    def make_steps(should_stop):
        del should_stop
        try:
            for number in range(100_000):
                yield SimpleNamespace(stage="restore", done=number, total=100_000)
        finally:
            closed.append(True)

    return make_steps


def ends_of(run):
    ends = []
    run.finished.connect(lambda value: ends.append(("finished", value)))
    run.failed.connect(lambda error: ends.append(("failed", error)))
    run.cancelled.connect(lambda: ends.append(("cancelled", None)))
    return ends


def test_steps_that_do_not_ask_are_closed_when_they_are_to_stop():
    closed = []
    steps = stoppable(steps_without_asking(closed))(lambda: True)
    assert next(steps).done == 0
    with pytest.raises(RestorationCancelled):
        next(steps)
    assert closed == [True]


def test_a_run_is_cancelled_between_steps(qtbot):
    closed = []
    run = GeneratorRun("Restoring a test", stoppable(steps_without_asking(closed)))
    ends = ends_of(run)
    run.cancel()
    run.start()
    qtbot.waitUntil(lambda: bool(ends), timeout=WAIT_MS)
    assert ends == [("cancelled", None)]
    assert closed == [True]


def test_what_was_made_for_nobody_is_closed(qtbot):
    made = Closable()

    def make_steps(should_stop):
        yield SimpleNamespace(stage="restore", done=0, total=1)
        return made

    run = GeneratorRun("Restoring a test", make_steps)
    ends = ends_of(run)
    run.start()
    run.abandon()
    qtbot.waitUntil(lambda: made.is_closed, timeout=WAIT_MS)
    assert ends == []


def test_steps_may_return_nothing(qtbot):
    def make_steps(should_stop):
        yield SimpleNamespace(stage="import", done=1, total=1)

    run = GeneratorRun("Importing a test", make_steps)
    ends = ends_of(run)
    run.start()
    qtbot.waitUntil(lambda: bool(ends), timeout=WAIT_MS)
    assert ends == [("finished", None)]
