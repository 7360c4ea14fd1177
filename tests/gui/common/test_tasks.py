"""Work in a thread, with its end in the window."""

from __future__ import annotations

import threading

import pytest
from napari.utils.notifications import notification_manager

from napari_gmff._napari.common.tasks import start_task
from napari_gmff.errors import SourceError


def fail(error: Exception) -> None:
    raise error


def test_the_answer_comes_in_the_thread_of_the_window(qtbot):
    threads, answers = [], []

    def work(first, *, second):
        threads.append(threading.current_thread())
        return first + second

    def done(value):
        threads.append(threading.current_thread())
        answers.append(value)

    start_task("Adding", work, 1, second=2, done=done)
    qtbot.waitUntil(lambda: bool(answers))
    assert answers == [3]
    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()


@pytest.mark.parametrize("error", [SourceError("a: is empty"), RuntimeError("b"), OSError("c")])
def test_every_error_arrives_even_with_a_window(make_napari_viewer, qtbot, error):
    make_napari_viewer()
    errors, answers = [], []
    start_task("Failing", fail, error, done=answers.append, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert errors == [error]
    assert answers == []


def test_an_error_that_nobody_waits_for_is_a_notification(qtbot):
    notification_manager.records.clear()
    start_task("Failing", fail, SourceError("a: is empty"), done=print)
    qtbot.waitUntil(lambda: bool(notification_manager.records))
    assert notification_manager.records[-1].message == "a: is empty"


def test_the_worker_is_called_by_its_title(qtbot):
    answers = []
    worker = start_task("Saving worm.ome.zarr", int, done=answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    # napari asks with these words whether to close its window in the middle of it.
    assert repr(worker._func) == "Saving worm.ome.zarr"
