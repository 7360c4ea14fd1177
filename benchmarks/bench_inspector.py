"""How long the inspector holds up the window: what its callbacks take in a real viewer.

Needs napari and a screen (or xvfb-run).

Usage: python benchmarks/bench_inspector.py
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Before napari is imported, so that nobody's settings are touched.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import napari
import numpy as np
from qtpy.QtWidgets import QApplication
from table import print_machine, print_table

from napari_gmff import read_stack
from napari_gmff._napari.inspecting.compare_panel import SWIPE
from napari_gmff._napari.inspecting.inspector import FocusInspector
from tests.gui.sets import fused_set

SIDE_PX = 4096
N_SLICES = 8


def settle(seconds: float = 1.0) -> None:
    """Let the window do what waits."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        QApplication.processEvents()
        time.sleep(0.005)


def timed(steps: list[Callable[[], object]]) -> list[float]:
    """Return what each step takes in ms, without the drawing that follows it."""
    found = []
    for step in steps:
        started = time.perf_counter()
        step()
        found.append(1000 * (time.perf_counter() - started))
        settle(0.1)
    return found


def main() -> None:
    """Measure and print."""
    noise = np.random.default_rng(0).integers(0, 4000, (N_SLICES, SIDE_PX, SIDE_PX), np.uint16)
    viewer = napari.Viewer()
    stack = read_stack(noise, axes="ZYX", voxel_size_um=(1.0, 0.5, 0.5))
    fused_set(viewer, stack)
    inspector = FocusInspector(viewer)
    viewer.window.add_dock_widget(inspector)
    settle(4)
    pixels = [(0, 37 * k, 91 * k) for k in range(1, 21)]
    pins = timed([lambda p=p: inspector.pixel.pin(p) for p in pixels])
    settle(3)
    rows = [("pin a pixel", pins)]
    rows.append(("hover", timed([lambda p=p: inspector.pixel.show_pointer(p) for p in pixels])))
    rows.append(("plot a curve", timed([inspector.pixel.refresh] * 20)))
    rows.append(("draw a plot", timed([inspector.pixel.plot.draw] * 20)))
    inspector.confidence.box.setChecked(True)
    moves = [lambda k=k: inspector.confidence.slider.setValue(k) for k in range(20, 60, 2)]
    rows.append(("move the threshold", timed(moves)))
    inspector.confidence.box.setChecked(False)
    inspector.compare.modes.setCurrentText(SWIPE)
    moves = [lambda k=k: inspector.compare.slider.setValue(k) for k in range(200, 800, 30)]
    rows.append(("move the swipe line", timed(moves)))
    inspector.compare.end()
    print_machine()
    print_table(
        f"Callbacks of the inspector, {SIDE_PX}²×{N_SLICES} (ms)",
        ["what", "median", "most"],
        [[name, statistics.median(times), max(times)] for name, times in rows],
    )
    viewer.close()


if __name__ == "__main__":
    main()
