from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from napari_gmff.cli.progress import LogLines, progress_bar
from napari_gmff.pipeline import Progress


class Clock:
    """Tells the time it was set to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_log_gets_seldom_lines_with_rate_and_time_left(capsys: Any) -> None:
    clock = Clock()
    show = LogLines(interval_s=30, clock=clock)
    for step in range(1001):
        clock.now_s = 1000 + step / 10
        show(Progress("fuse", step, 36_500))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == "Fusing: 300 of 36500 steps, 10 per second, 1:00:20 left"


def test_a_short_run_leaves_no_line_in_a_log(capsys: Any) -> None:
    with progress_bar(hidden=False) as show:
        for stage in ("measure", "fuse", "export"):
            for done in range(3):
                show(Progress(stage, done, 2))
    assert capsys.readouterr() == ("", "")


def test_the_rate_is_that_of_the_stage(capsys: Any) -> None:
    clock = Clock()
    show = LogLines(interval_s=30, clock=clock)
    show(Progress("measure", 1, 1))
    clock.now_s += 100
    show(Progress("fuse", 0, 10))
    clock.now_s += 10
    show(Progress("fuse", 5, 10))
    assert capsys.readouterr().err == "Fusing: 5 of 10 steps, 0.5 per second, 0:10 left\n"


def test_nothing_is_shown_when_hidden(capsys: Any) -> None:
    with progress_bar(hidden=True) as show:
        show(Progress("fuse", 1, 2))
    assert capsys.readouterr() == ("", "")


def read_to_the_end(reader: int) -> str:
    """Read what came through a pseudo-terminal whose other end was closed."""
    found = b""
    while True:
        try:
            piece = os.read(reader, 10_000)
        except OSError:  # so Linux says that nothing is left
            piece = b""
        if not piece:
            return found.decode()
        found += piece


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_shows_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    import termios

    reader, writer = os.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        termios.tcsetwinsize(writer, (24, 80))
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress_bar(hidden=False) as show:
            show(Progress("measure", 1, 1))
            show(Progress("fuse", 0, 4))
            show(Progress("fuse", 4, 4))
        terminal.flush()
    shown = read_to_the_end(reader)
    os.close(reader)
    assert "Measuring" in shown
    assert "Fusing" in shown
    assert "\n" not in shown
    assert shown.endswith("\r")
