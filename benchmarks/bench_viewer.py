"""Measure how long the window stands still while a large lazy stack is fused in a real viewer.

Claim: no callback of ours holds up the window for 100 ms while a 4096² × 16 lazy stack is fused
with the classical engine, its results appearing window by window.

Every function of ours that a signal, an event or a timer calls in the window's thread is timed. A
timer of 5 ms also measures how long nothing else could be done, whoever caused it: that includes
what napari and the system do, and on a machine with few processors the run itself.

Run in a session with a screen: ``python benchmarks/bench_viewer.py``; prints a table.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import napari
import numpy as np
import tifffile
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from table import print_machine, print_table

from napari_gmff import read_stack
from napari_gmff._napari import fusion_widget
from napari_gmff._napari.stack_layers import StackSource, layers_of_stack
from napari_gmff.params import CLASSICAL_ENGINE

SIDE_PX = 4096
N_SLICES = 16
TICK_MS = 5


@dataclass
class Spent:
    """How often a callback ran, and its longest time in ms: by the clock, and of the processor."""

    calls: int = 0
    longest_ms: float = 0.0
    processor_ms: float = 0.0


class Stopwatch:
    """Times our outermost functions in the window's thread.

    A profiler hook sees every call: a function of ours counts from where it is entered by code
    that is not ours, until it is left.
    """

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = defaultdict(Spent)
        self._root = str(Path(fusion_widget.__file__).parent)
        self._frame: Any = None
        self._entered = (0.0, 0.0)

    def __call__(self, frame: Any, event: str, _argument: object) -> None:
        """Take note of a call or a return."""
        if event == "call" and self._frame is None:
            if frame.f_code.co_filename.startswith(self._root):
                self._frame = frame
                self._entered = (time.perf_counter(), time.thread_time())
        elif event == "return" and frame is self._frame:
            self._frame = None
            spent = self.spent[f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}"]
            spent.calls += 1
            longest_ms = 1000 * (time.perf_counter() - self._entered[0])
            processor_ms = 1000 * (time.thread_time() - self._entered[1])
            spent.longest_ms = max(spent.longest_ms, longest_ms)
            spent.processor_ms = max(spent.processor_ms, processor_ms)


class Ticks:
    """Measures gaps between the ticks of a timer in the window's thread."""

    def __init__(self) -> None:
        self.gaps_ms: list[float] = []
        self._last_s = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        now_s = time.perf_counter()
        self.gaps_ms.append(1000 * (now_s - self._last_s))
        self._last_s = now_s


def write_stack(path: Path) -> None:
    """Write an OME-TIFF of which each slice is sharp in its own band."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 4096, (SIDE_PX, SIDE_PX), dtype=np.uint16)
    band = SIDE_PX // N_SLICES

    def planes():
        for number in range(N_SLICES):
            plane = np.full((SIDE_PX, SIDE_PX), 2048, np.uint16)
            rows = slice(number * band, (number + 1) * band)
            plane[rows] = texture[rows]
            yield plane

    shape = (N_SLICES, SIDE_PX, SIDE_PX)
    options = {"rowsperstrip": 64, "photometric": "minisblack", "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(path, planes(), shape=shape, dtype=np.uint16, **options)


def wait_until(done: Callable[[], bool], timeout_s: float) -> None:
    """Let the window work until something is so."""
    end_s = time.monotonic() + timeout_s
    while not done():
        QApplication.processEvents()
        time.sleep(0.001)
        if time.monotonic() > end_s:
            raise TimeoutError("the run takes too long")


def main() -> None:
    """Fuse in a viewer and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.ome.tif"
        write_stack(path)
        viewer = napari.Viewer()
        widget = fusion_widget.FusionWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Fuse focus stack")
        for data, kwargs, _ in layers_of_stack(StackSource(read_stack(path), str(path))):
            viewer.add_image(data, **kwargs)
        widget.form.set_values({"engine": CLASSICAL_ENGINE})
        # What the dock finds out at its start, such as torch and the time a run takes.
        wait_until(lambda: "about" in widget.picker.words, 120)

        watch, ticks = Stopwatch(), Ticks()
        sys.setprofile(watch)
        started_s = time.perf_counter()
        widget.panel.fuse.click()
        wait_until(lambda: not widget.runs.is_running, 1800)
        seconds = time.perf_counter() - started_s
        sys.setprofile(None)
        assert any(layer.name.endswith("fused") for layer in viewer.layers), "nothing was fused"

        slowest = sorted(watch.spent.items(), key=lambda item: -item[1].longest_ms)[:8]
        rows = [(name, one.calls, one.longest_ms, one.processor_ms) for name, one in slowest]
        title = f"{N_SLICES}×{SIDE_PX}², {CLASSICAL_ENGINE}, {seconds:.0f} s"
        print_table(
            f"Our callbacks: {title}", ["callback", "calls", "longest, ms", "processor, ms"], rows
        )
        gaps = np.array(ticks.gaps_ms)
        print_table(
            "Gaps between ticks of the window, ms",
            ["median", "99 %", "99.9 %", "longest", "share of time in gaps over 100 ms"],
            [(*np.percentile(gaps, (50, 99, 99.9, 100)), gaps[gaps > 100].sum() / gaps.sum())],
        )
        print_machine()
        viewer.close()


if __name__ == "__main__":
    main()
