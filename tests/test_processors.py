from __future__ import annotations

import os
import subprocess
import sys

import pytest

from napari_gmff import processors
from napari_gmff.processors import n_processors, threads_for_window


@pytest.mark.parametrize(("there_are", "used"), [(1, 1), (2, 1), (3, 2), (16, 15)])
def test_a_run_leaves_one_processor_to_the_window(there_are, used, monkeypatch):
    monkeypatch.setattr(processors, "n_processors", lambda: there_are)
    assert threads_for_window() == used


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins a process")
def test_processors_that_are_not_allowed_are_not_counted():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from napari_gmff.processors import n_processors; print(n_processors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


def test_where_the_system_does_not_say_all_processors_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert n_processors() == os.cpu_count()


def test_counting_loads_no_torch():
    code = (
        "import sys; from napari_gmff.processors import threads_for_window;"
        "threads_for_window(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
