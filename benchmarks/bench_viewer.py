"""Measure how long the window stands still while a large lazy stack is fused in a real viewer.

Claim: no callback of ours holds up the window for 100 ms while a 4096² × 16 lazy stack is fused
with the classical engine, its results appearing window by window.

Every method of ours that a signal, an event or a timer calls in the window's thread is timed, with
all that it asks of napari; for comparison, so is napari adding the smallest layer there is. A timer
of 5 ms also measures how long nothing else could be done, whoever caused it: that includes what
napari and the system do, and on a machine with few processors the run itself.

Run in a session with a screen: ``python benchmarks/bench_viewer.py``; prints a table.
"""

from __future__ import annotations

import functools
import gc
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple, dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import FunctionType, ModuleType
from typing import Any

import napari
import numpy as np
import tifffile
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from table import print_machine, print_table

from napari_gmff import read_stack
from napari_gmff._napari import fusing, layers
from napari_gmff._napari.fusing.fusion_widget import FusionWidget
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack
from napari_gmff.params import CLASSICAL_ENGINE

PACKAGES = (fusing, layers)
"""In whose modules methods are timed."""

SIDE_PX = 4096
N_SLICES = 16
TICK_MS = 5


@dataclass
class Spent:
    """How often a callback ran, and its longest time in ms, of which some is not its own."""

    calls: int = 0
    longest_ms: float = 0.0
    processor_ms: float = 0.0
    garbage_ms: float = 0.0


class Stopwatch:
    """Times our methods in the window's thread, those that are called by code that is not ours."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = defaultdict(Spent)
        self._is_inside = False
        self._garbage_s = self._garbage_since_s = 0.0
        gc.callbacks.append(self._on_garbage)

    def watch(self, module: ModuleType) -> None:
        """Time every method of the public classes of a module, from those made after this on."""
        for kind in vars(module).values():
            is_ours = isinstance(kind, type) and kind.__module__ == module.__name__
            if is_ours and not kind.__name__.startswith("_"):
                for name, method in list(vars(kind).items()):
                    if isinstance(method, FunctionType):
                        setattr(kind, name, self._timed(method))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._is_inside or threading.current_thread() is not threading.main_thread():
                return method(*args, **kwargs)
            self._is_inside = True
            started = time.perf_counter(), time.thread_time(), self._garbage_s
            try:
                return method(*args, **kwargs)
            finally:
                self._is_inside = False
                self._note(method.__qualname__, started)

        return timed

    def _note(self, name: str, started: tuple[float, float, float]) -> None:
        now = time.perf_counter(), time.thread_time(), self._garbage_s
        longest, processor, garbage = (
            1000 * (after - before) for after, before in zip(now, started, strict=True)
        )
        spent = self.spent[name]
        spent.calls += 1
        if longest > spent.longest_ms:
            spent.longest_ms, spent.processor_ms, spent.garbage_ms = longest, processor, garbage

    def _on_garbage(self, phase: str, _: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if phase == "start":
            self._garbage_since_s = time.thread_time()
        else:
            self._garbage_s += time.thread_time() - self._garbage_since_s


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


def wait(seconds: float) -> None:
    """Let the window work for a while."""
    end_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end_s, seconds + 60)


def wait_until(done: Callable[[], bool], timeout_s: float) -> None:
    """Let the window work until something is so."""
    end_s = time.monotonic() + timeout_s
    while not done():
        QApplication.processEvents()
        time.sleep(0.001)
        if time.monotonic() > end_s:
            raise TimeoutError("the run takes too long")


def time_of_small_layer(viewer: napari.Viewer) -> Spent:
    """Time how long napari takes to add a layer of 64 × 64 pixels."""
    spent = Spent()
    for _ in range(5):
        started = time.perf_counter(), time.thread_time()
        layer = viewer.add_image(np.zeros((64, 64), np.uint8), contrast_limits=(0, 1))
        longest_ms = 1000 * (time.perf_counter() - started[0])
        spent.calls += 1
        if longest_ms > spent.longest_ms:
            spent.longest_ms = longest_ms
            spent.processor_ms = 1000 * (time.thread_time() - started[1])
        viewer.layers.remove(layer)
        wait(0.2)
    return spent


def main() -> None:
    """Fuse in a viewer and print the tables."""
    watch = Stopwatch()
    for package in PACKAGES:
        for found in iter_modules(package.__path__, f"{package.__name__}."):
            watch.watch(import_module(found.name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.ome.tif"
        write_stack(path)
        viewer = napari.Viewer()
        widget = FusionWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Fuse focus stack")
        for data, kwargs, _ in layers_of_stack(StackSource(read_stack(path), str(path))):
            viewer.add_image(data, **kwargs)
        widget.form.set_values({"engine": CLASSICAL_ENGINE})
        # What the dock finds out at its start: torch, and the time that a run takes.
        wait_until(lambda: " on this CPU" in widget.picker.words, 120)
        small = time_of_small_layer(viewer)

        watch.spent.clear()
        ticks = Ticks()
        started_s = time.perf_counter()
        widget.panel.fuse.click()
        wait_until(lambda: not widget.runs.is_running, 3600)
        seconds = time.perf_counter() - started_s
        wait(1)
        assert any(layer.name.endswith("fused") for layer in viewer.layers), "nothing was fused"

        rows = sorted(watch.spent.items(), key=lambda item: -item[1].longest_ms)[:8]
        print_table(
            f"Our callbacks: {N_SLICES}×{SIDE_PX}², {CLASSICAL_ENGINE}, {seconds:.0f} s",
            ["callback", "calls", "longest, ms", "of it processor", "of it garbage collection"],
            [(name, *astuple(one)) for name, one in [*rows, ("napari: a 64² layer", small)]],
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
