"""Times to expect, worked out in a thread when the form is left alone."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from napari_gmff import FuseParams
from napari_gmff._napari.fusing import estimates as module
from napari_gmff._napari.fusing.estimates import Estimates, estimate_of
from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.windows import Box
from tests.gui.fusion_dock import WAIT_MS, wait_for_threads
from tests.stacks import stack_of, textured

PARAMS = FuseParams(engine=CLASSICAL_ENGINE)


@pytest.fixture
def estimates(qtbot):
    from qtpy.QtWidgets import QWidget

    owner = QWidget()
    qtbot.addWidget(owner)
    yield Estimates(owner)
    wait_for_threads()


def closing_stack(closed: list[str], name: str = "relief"):
    return replace(stack_of(textured()), name=name, _close=lambda: closed.append(name))


def test_a_small_stack_takes_a_moment_on_this_cpu():
    closed: list[str] = []
    estimate = estimate_of(closing_stack(closed), PARAMS, Box(0, 64, 0, 64))
    assert estimate.words.endswith("s on this CPU")
    assert 0 < estimate.preview_s < 5
    assert closed == ["relief"]


def test_the_answer_is_about_the_latest_question_and_all_stacks_are_closed(
    estimates, qtbot, monkeypatch
):
    closed: list[str] = []
    asked: list[tuple[str, threading.Thread]] = []

    def seconds(stack, params):
        asked.append((stack.name, threading.current_thread()))
        return 14.2

    monkeypatch.setattr(module, "estimate_seconds", seconds)
    with qtbot.waitSignal(estimates.known, timeout=WAIT_MS) as heard:
        estimates.ask(closing_stack(closed, "first"), PARAMS, None)
        estimates.ask(closing_stack(closed, "second"), PARAMS, None)
    (estimate,) = heard.args
    assert estimate.words == "about 14 s on this CPU"
    assert estimate.preview_s is None
    ((name, thread),) = asked
    assert name == "second"
    assert thread is not threading.main_thread()
    assert sorted(closed) == ["first", "second"]


def test_what_cannot_be_estimated_is_left_unsaid(estimates, qtbot, monkeypatch):
    def fail(stack, params):
        raise ValueError("no such weights")

    closed: list[str] = []
    heard = []
    estimates.known.connect(heard.append)
    monkeypatch.setattr(module, "estimate_seconds", fail)
    estimates.ask(closing_stack(closed), PARAMS, None)
    qtbot.waitUntil(lambda: closed == ["relief"], timeout=WAIT_MS)
    qtbot.wait(50)
    assert heard == []


def test_a_forgotten_question_is_never_asked(estimates, qtbot):
    closed: list[str] = []
    estimates.ask(closing_stack(closed), PARAMS, None)
    estimates.forget()
    assert closed == ["relief"]
    with qtbot.assertNotEmitted(estimates.known, wait=2 * module.QUIET_MS):
        pass
