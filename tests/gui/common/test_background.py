"""Questions asked in a thread: the latest answer counts, and errors arrive."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QWidget

from napari_gmff._napari.common.background import Background
from tests.gui.fusion_dock import WAIT_MS, wait_for_threads


def test_the_answer_comes_in_the_window_from_another_thread(qtbot):
    background, heard = Background(), []
    background.answered.connect(lambda value: heard.append((value, threading.current_thread())))
    background.ask(threading.current_thread)
    assert background.is_busy
    qtbot.waitUntil(lambda: bool(heard), timeout=WAIT_MS)
    ((asked_in, heard_in),) = heard
    assert asked_in is not threading.main_thread()
    assert heard_in is threading.main_thread()
    assert not background.is_busy


def test_only_the_latest_question_is_answered(qtbot):
    background, heard, gate = Background(), [], threading.Event()
    background.answered.connect(heard.append)
    background.ask(lambda: gate.wait(10) and "old")
    background.ask(lambda: "new")
    qtbot.waitUntil(lambda: heard == ["new"], timeout=WAIT_MS)
    gate.set()
    wait_for_threads()
    qtbot.wait(50)
    assert heard == ["new"]


@pytest.fixture
def one_processor():
    """Let Qt run as many workers as on a machine with one processor."""
    pool = QThreadPool.globalInstance()
    before = pool.maxThreadCount()
    pool.setMaxThreadCount(1)
    yield
    wait_for_threads()
    pool.setMaxThreadCount(before)


def test_a_long_question_keeps_no_other_waiting(qtbot, one_processor):
    long, short, heard, gate = Background(), Background(), [], threading.Event()
    short.answered.connect(heard.append)
    long.ask(lambda: gate.wait(WAIT_MS / 1000))
    short.ask(lambda: "at once")
    qtbot.waitUntil(lambda: heard == ["at once"], timeout=WAIT_MS / 4)
    gate.set()


def test_a_forgotten_question_is_not_answered(qtbot):
    background, heard = Background(), []
    background.answered.connect(heard.append)
    background.ask(lambda: 1)
    background.forget()
    assert not background.is_busy
    wait_for_threads()
    qtbot.wait(50)
    assert heard == []


def test_an_error_arrives_as_a_signal_even_if_it_is_a_runtime_error(qtbot):
    def fail() -> None:
        raise RuntimeError("lost otherwise")

    background, heard = Background(), []
    background.failed.connect(heard.append)
    background.ask(fail)
    qtbot.waitUntil(lambda: bool(heard), timeout=WAIT_MS)
    assert str(heard[0]) == "lost otherwise"


def test_an_answer_for_a_deleted_widget_is_dropped(qtbot):
    owner, heard, gate = QWidget(), [], threading.Event()
    background = Background(owner)
    background.answered.connect(heard.append)
    background.ask(lambda: gate.wait(10))
    owner.deleteLater()
    with qtbot.waitSignal(owner.destroyed):
        pass
    gate.set()
    wait_for_threads()
    qtbot.wait(50)
    assert heard == []
