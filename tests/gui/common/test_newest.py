"""Work behind a slider: one piece at a time, the newest last, nothing in between."""

from __future__ import annotations

import threading

import pytest

from napari_gmff._napari.common.newest import Newest


class Slow:
    """A function that waits until it is let go, and notes what it was called with."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.calls: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.threads: set[int] = set()

    def __call__(self, number: int) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.calls.append(number)
        self.threads.add(threading.get_ident())
        assert self.go.wait(10)
        self.at_once -= 1
        return number


@pytest.fixture
def newest(qtbot):
    return Newest()


def test_what_waits_is_dropped_for_what_comes_after_it(newest, qtbot):
    slow, answers = Slow(), []
    newest.answered.connect(answers.append)
    for number in range(6):
        newest.ask(slow, number)
    assert newest.is_busy
    qtbot.waitUntil(lambda: slow.calls == [0])
    slow.go.set()
    qtbot.waitUntil(lambda: not newest.is_busy)
    assert slow.calls == answers == [0, 5]
    assert slow.most_at_once == 1
    assert threading.get_ident() not in slow.threads


def test_an_error_is_told_and_the_next_piece_still_comes(newest, qtbot):
    def fail() -> None:
        raise RuntimeError("broken")

    errors, answers = [], []
    newest.failed.connect(errors.append)
    newest.answered.connect(answers.append)
    newest.ask(fail)
    newest.ask(int, 7)
    qtbot.waitUntil(lambda: not newest.is_busy)
    assert [str(error) for error in errors] == ["broken"]
    assert answers == [7]


def test_what_is_forgotten_is_not_answered(newest, qtbot):
    slow, answers = Slow(), []
    newest.answered.connect(answers.append)
    newest.ask(slow, 1)
    newest.ask(slow, 2)
    newest.forget()
    assert not newest.is_busy
    slow.go.set()
    newest.ask(slow, 3)
    qtbot.waitUntil(lambda: answers == [3])
    assert 2 not in slow.calls
