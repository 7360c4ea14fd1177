"""Ctrl-C and a polite kill end the program at once and leave nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff.cli import main as program
from napari_gmff.errors import SourceError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


ENGINE = ("--engine", "laplacian-energy")
"""The one that the program below makes slow."""


@pytest.fixture
def running(tmp_path: Path) -> Any:
    """Return a run that waits in the middle of its first window, its outputs and temporary files.

    The wait is in an engine, so that the signal finds the program as late as wanted.
    """
    source, results, temporary = tmp_path / "a.tif", tmp_path / "results", tmp_path / "temporary"
    tifffile.imwrite(source, np.zeros((3, 64, 64), np.uint8), ome=True, metadata={"axes": "ZYX"})
    results.mkdir()
    temporary.mkdir()
    code = """
import sys, tempfile, time
from napari_gmff.engines.laplacian import LaplacianEnergy
tempfile.tempdir = sys.argv[1]
score = LaplacianEnergy.iter_scores
def slow(self, *args, **options):
    for item in score(self, *args, **options):
        yield item
        print("waiting", flush=True)
        time.sleep(60)
LaplacianEnergy.iter_scores = slow
from napari_gmff.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
    started: list[subprocess.Popen[str]] = []

    def start(*flags: str) -> tuple[subprocess.Popen[str], Path, Path]:
        command = ["fuse", str(source), "-o", str(results / "out"), *ENGINE, *flags]
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(temporary), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        return process, results, temporary

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "format"),
    [(signal.SIGINT, "ome-zarr"), (signal.SIGTERM, "ome-tiff")],
)
def test_a_signal_ends_the_run_without_a_trace(
    running: Any, number: signal.Signals, format: str
) -> None:
    process, results, temporary = running("--format", format)
    assert [*results.iterdir(), *temporary.iterdir()]
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "napari-gmff: interrupted, nothing half-written is left\n"
    assert [*results.iterdir(), *temporary.iterdir()] == []


def test_a_nervous_second_ctrl_c_does_not_stop_the_cleaning_up(running: Any) -> None:
    process, results, _ = running()
    for _ in range(5):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.count("\n") == 1
    assert list(results.iterdir()) == []


def test_handlers_of_the_caller_come_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert program.main(["methods", str(tmp_path / "no")]) == 2
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_ignored_signal_stays_ignored() -> None:
    """As for a program that nohup started."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with program._interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_late_second_signal_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not end must still be stoppable."""
    monkeypatch.setattr(program, "_CLEANING_S", 0.0)
    with program._interrupts():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)


def test_the_program_can_be_called_from_another_thread(tmp_path: Path, capsys: Any) -> None:
    from threading import Thread

    codes: list[int] = []
    argv = ["methods", str(tmp_path / "no")]
    thread = Thread(target=lambda: codes.append(program.main(argv)))
    thread.start()
    thread.join()
    assert codes == [2]
    assert "no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SourceError("a.tif: two\nlines"), "napari-gmff: a.tif: two lines"),
        (MemoryError(), "napari-gmff: out of memory; try a smaller --block-px"),
        (OSError(5, "Input/output error", "a.tif"), "napari-gmff: a.tif: Input/output error"),
    ],
)
def test_every_expected_failure_is_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, error: Exception, line: str
) -> None:
    def fail(_argv: object) -> int:
        raise error

    monkeypatch.setattr(program, "_run", fail)
    assert program.main([]) == 2
    (found,) = capsys.readouterr().err.splitlines()
    assert found.startswith(line)


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    code = "import sys; from napari_gmff.cli.main import main; sys.exit(main(['weights', 'list']))"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env={**os.environ, "NAPARI_GMFF_MODELS": str(tmp_path)},
        )
    assert (done.returncode, done.stderr) == (0, "")
