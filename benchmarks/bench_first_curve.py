"""From a click in the image to the plotted focus curve, in a real viewer, with StackMFF V4.

Each click is the first one in its window: right after the run, when about half of the slices have
been got ready, and after the inspector was left alone for a while; then one more beside it. "Wall"
counts what else the machine does, "processor" is the time of all our threads.

Usage: xvfb-run -a python benchmarks/bench_first_curve.py [--side 1024] [--slices 8 32]

Needs napari and a screen or Xvfb.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Before napari is imported, so that nobody's settings are touched.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import napari
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from table import print_machine, print_table

from napari_gmff import read_stack
from napari_gmff._napari.inspecting.inspector import FocusInspector
from napari_gmff.params import DEFAULT_ENGINE
from napari_gmff.scenes import relief_scene
from tests.gui.sets import fused_set

WAIT_S = 120.0


def clocks() -> tuple[float, float]:
    """Return seconds on the wall's clock, and of processor time in all threads."""
    return time.perf_counter(), time.process_time()


def until(is_true: Callable[[], bool], wait_s: float = WAIT_S) -> tuple[float, float]:
    """Let the window work until something holds; return seconds (wall, processor)."""
    started = clocks()
    while not is_true() and time.perf_counter() - started[0] < wait_s:
        QApplication.processEvents()
        time.sleep(0.002)
    return passed(started)


def passed(started: tuple[float, float]) -> tuple[float, float]:
    """Return the seconds (wall, processor) since then."""
    wall, processor = clocks()
    return wall - started[0], processor - started[1]


def canvas() -> QWidget:
    """Return the widget that napari draws on."""
    for window in QApplication.topLevelWidgets():
        for widget in window.findChildren(QWidget):
            if type(widget).__name__.startswith("CanvasBackend") and widget.isVisible():
                return widget
    raise LookupError("no canvas")


def click_s(inspector: FocusInspector, offset_px: int) -> tuple[float, float]:
    """Click beside the middle of the canvas; return seconds until the curve is drawn."""
    drawn: list[object] = []
    plot = inspector.pixel.plot
    listener = plot.mpl_connect(
        "draw_event", lambda event: drawn.append(event) if plot.curves is not None else None
    )
    on = canvas()
    at = QPoint(on.width() // 2 + offset_px, on.height() // 2)
    started = clocks()
    QTest.mouseClick(on, Qt.MouseButton.LeftButton, pos=at)
    until(lambda: bool(drawn) and inspector.pixel.curves is not None)
    seconds = passed(started)
    plot.mpl_disconnect(listener)
    return seconds


def forget(inspector: FocusInspector) -> None:
    """Leave the result as the run left it."""
    inspector.pixel.unpin()
    made = inspector.result_set
    assert made is not None and made.result.curves is not None
    made.result.curves.close()


def measured(inspector: FocusInspector) -> dict[str, tuple[float, float]]:
    """Return seconds (wall, processor) by what was waited for."""
    curves = inspector.result_set.result.curves
    found = {"click right after the run": click_s(inspector, 10)}
    forget(inspector)
    found["left alone until ready"] = until(lambda: curves.is_ready(5, 5))
    found["click then"] = click_s(inspector, 10)
    found["click beside it"] = click_s(inspector, 60)
    forget(inspector)
    until(lambda: False, found["left alone until ready"][0] / 2)
    found["click half-way"] = click_s(inspector, 10)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--slices", type=int, nargs="+", default=[8, 32])
    args = parser.parse_args()
    rows = []
    for n_slices in args.slices:
        viewer = napari.Viewer()
        inspector = FocusInspector(viewer)
        viewer.window.add_dock_widget(inspector)
        until(lambda: False, 3)
        stack = read_stack(relief_scene(args.side, n_slices).stack, axes="ZYX")
        fused_set(viewer, stack, engine=DEFAULT_ENGINE, device="cpu")
        viewer.reset_view()
        # What is drawn for the first time is not what is measured here.
        until(lambda: False, 0.2)
        rows += [[n_slices, what, *seconds] for what, seconds in measured(inspector).items()]
        viewer.close()
        QApplication.processEvents()
    print_machine()
    columns = ["slices", "until the curve is drawn", "wall (s)", "processor (s)"]
    print_table(f"Focus curves in a window of {args.side}²", columns, rows)


if __name__ == "__main__":
    main()
