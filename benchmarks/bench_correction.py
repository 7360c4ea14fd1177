"""How fast a result follows a brush stroke, in a real viewer: 2048², 16 slices.

Usage: xvfb-run -a python benchmarks/bench_correction.py [--side 2048] [--slices 16] [--strokes 20]
    [--hidden]

Needs a screen or Xvfb. The stack lies in memory, and then in an OME-TIFF that is read lazily. A
stroke is 200 px long and as wide as the brush at its first size. Times count from the moment that
napari tells of the stroke. Without a graphics card most of them is napari's drawing of the stroke;
`--hidden` hides the window, which leaves our own part. Now and then Python collects the garbage of
the whole process, napari's included, which holds everything up; that is told apart.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import tifffile
from numpy.typing import NDArray
from qtpy.QtWidgets import QApplication
from table import print_machine, print_table

from napari_gmff import FocusStack, FuseParams, iter_fuse, read_stack
from napari_gmff._napari.correcting.correction_session import CorrectionSession, session_of
from napari_gmff._napari.layers.result_layers import add_result_layers
from napari_gmff._napari.layers.result_sets import ResultSet, result_sets
from napari_gmff.live_images import LiveImages
from napari_gmff.params import CLASSICAL_ENGINE

STROKE_PX = 200
WAIT_S = 20.0


def relief(n_slices: int, side_px: int) -> NDArray[np.uint16]:
    """Return (Z, Y, X) noise of which each slice is sharp in a stripe of its own."""
    rng = np.random.default_rng(0)
    noise = rng.integers(1_000, 60_000, (side_px, side_px), dtype=np.uint16)
    stack = np.full((n_slices, side_px, side_px), 30_000, np.uint16)
    for number, columns in enumerate(np.array_split(np.arange(side_px), n_slices)):
        stack[number][:, columns] = noise[:, columns]
    return stack


def fused(viewer: napari.Viewer, stack: FocusStack) -> ResultSet:
    """Fuse a stack and show it, as the fusion widget does."""
    images: LiveImages | None = None
    params = FuseParams(engine=CLASSICAL_ENGINE)
    run = iter_fuse(stack, params=params)
    while True:
        try:
            progress = next(run)
        except StopIteration as finished:
            result = finished.value
            break
        if progress.images is not None:
            images = LiveImages(progress.images.values())
        if progress.window is not None:
            for name, block in progress.window.blocks.items():
                images.put(name, progress.window.time, progress.window.place, block)
    made = ResultSet(stack.name, stack, params, result, images)
    made.layers = add_result_layers(
        viewer, images, result.geometry, result.provenance, stack.name, set_id=made.set_id
    )
    result_sets(viewer).add(made)
    return made


def wait_until(is_true: Callable[[], bool]) -> None:
    """Let the window work until something holds."""
    ends = time.perf_counter() + WAIT_S
    while not is_true():
        if time.perf_counter() > ends:
            raise TimeoutError("the result does not follow")
        QApplication.processEvents()
        time.sleep(0.0002)


class Watch:
    """Notes when a stroke ended, and when the last part of the result had followed it.

    `held` counts the seconds for which the window waited while layers were told to draw.
    """

    def __init__(self, session: CorrectionSession, result_set: ResultSet) -> None:
        self.stroke = self.followed = self.held = (0.0, 0.0)
        session.layer.events.paint.connect(self._on_stroke)
        result_set.corrected.connect(self._on_followed)
        self._refresh = result_set.refresh
        result_set.refresh = self._timed_refresh

    def _timed_refresh(self, *names: str) -> None:
        before = clocks()
        self._refresh(*names)
        passed = (late - early for early, late in zip(before, clocks(), strict=True))
        self.held = tuple(sum(pair) for pair in zip(self.held, passed, strict=True))

    def _on_stroke(self, event: object) -> None:
        self.stroke, self.held = clocks(), (0.0, 0.0)

    def _on_followed(self, time_point: int, place: object) -> None:
        # The record was renewed before, and the layers told to draw.
        self.followed = clocks()


class Garbage:
    """Adds up the seconds (wall, processor) in which Python collected garbage."""

    def __init__(self) -> None:
        self.spent = self._began = (0.0, 0.0)
        gc.callbacks.append(self._on_phase)

    def _on_phase(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = clocks()
        else:
            steps = zip(self.spent, self._began, clocks(), strict=True)
            self.spent = tuple(before + late - early for before, early, late in steps)


def clocks() -> tuple[float, float]:
    """Return seconds on the wall's clock, and of processor time in all threads."""
    return time.perf_counter(), time.process_time()


def strokes(
    viewer: napari.Viewer, result_set: ResultSet, n_strokes: int, side_px: int, garbage: Garbage
) -> dict[str, list[tuple[float, float]]]:
    """Paint, and return milliseconds (wall, processor) by what was waited for."""
    session = session_of(viewer, result_set)
    layer = session.open_layer()
    wait_until(lambda: session.is_settled)
    watch = Watch(session, result_set)
    rng = np.random.default_rng(1)
    taken: dict[str, list[tuple[float, float]]] = {
        "window held by us": [],
        "garbage collected": [],
        "image, depth, record": [],
        "written": [],
    }
    for _ in range(n_strokes):
        y, x = rng.integers(0, side_px - STROKE_PX, 2)
        layer.selected_label = int(rng.choice(session.numbers)) + 1
        with layer.block_history():
            for step in range(0, STROKE_PX, 5):
                layer.paint((y + step, x + step // 2), layer.selected_label, refresh=step > 190)
        spent = garbage.spent
        wait_until(lambda: session.is_settled)
        collected = zip(spent, garbage.spent, strict=True)
        taken["garbage collected"].append(tuple(1e3 * (late - early) for early, late in collected))
        taken["window held by us"].append((1e3 * watch.held[0], 1e3 * watch.held[1]))
        for name, end in (("image, depth, record", watch.followed), ("written", clocks())):
            passed = [1e3 * (late - early) for early, late in zip(watch.stroke, end, strict=True)]
            taken[name].append((passed[0], passed[1]))
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--strokes", type=int, default=20)
    parser.add_argument("--hidden", action="store_true", help="hide the window")
    args = parser.parse_args()
    array = relief(args.slices, args.side)
    rows, garbage = [], Garbage()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.ome.tif"
        tifffile.imwrite(path, array, tile=(512, 512), ome=True, metadata={"axes": "ZYX"})
        sources = {"memory": (array, {"axes": "ZYX"}), "lazy OME-TIFF": (path, {})}
        for where, (source, options) in sources.items():
            viewer = napari.Viewer(show=not args.hidden)
            stack = read_stack(source, **options)
            result_set = fused(viewer, stack)
            for what, taken in strokes(
                viewer, result_set, args.strokes, args.side, garbage
            ).items():
                wall, processor = np.array(taken).T
                figures = [np.median(wall), wall.max(), np.median(processor), processor.max()]
                rows.append([where, what, *map(float, figures)])
            viewer.close()
            QApplication.processEvents()
    print_machine()
    title = f"After a stroke on {args.side}², {args.slices} slices"
    columns = ["stack in", "until", "median (ms)", "slowest", "processor, median (ms)", "slowest"]
    print_table(title, columns, rows)


if __name__ == "__main__":
    main()
