"""Calls that report through a callback become steps: told, stopped, and their errors raised."""

from __future__ import annotations

import threading

import pytest

from napari_gmff._napari.common.called_steps import CallProgress, steps_of_call
from napari_gmff.errors import DownloadError

WAIT_S = 10.0


def run(steps):
    """Return what was reported, and the value."""
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as finished:
            return told, finished.value


def test_reports_are_told_and_the_value_is_returned():
    def call(report):
        report(1, 4)
        report(4, None)
        return "done"

    told, value = run(steps_of_call("download", call))
    assert told == [CallProgress("download", 1, 4), CallProgress("download", 4, 0)]
    assert value == "done"


def test_an_error_of_the_call_is_raised_by_the_steps():
    def call(report):
        report(1, 4)
        raise DownloadError("cut off")

    with pytest.raises(DownloadError, match="cut off"):
        run(steps_of_call("download", call))


def test_closing_stops_the_call_at_its_next_report_and_waits_for_it():
    go_on, is_cleaned = threading.Event(), threading.Event()
    reached = []

    def call(report):
        try:
            report(1, 4)
            go_on.wait(WAIT_S)
            report(2, 4)
            reached.append("further")
        finally:
            is_cleaned.set()

    steps = steps_of_call("download", call)
    assert next(steps).done == 1
    threading.Timer(0.05, go_on.set).start()
    steps.close()
    assert is_cleaned.is_set()
    assert reached == []
