"""What a window has to wait for: previews, stops, and how well the time of a run is foretold.

Usage: python benchmarks/bench_window.py [WEIGHTS]

Runs use as many threads as a window gives them: one less than there are processors. Processor time
is printed beside the time on the clock; on one thread, and a machine that does nothing else, both
are the same.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from engine_runs import engine_runs
from table import print_machine, print_table

from napari_gmff import FocusStack, FuseParams, iter_fuse
from napari_gmff.estimate import estimate_seconds, words_for_seconds
from napari_gmff.params import validated
from napari_gmff.preview import iter_preview, preview_region
from napari_gmff.processors import threads_for_window
from napari_gmff.scenes import relief_scene
from napari_gmff.steps import outcome_of
from napari_gmff.windows import Box

PREVIEWS = 5
STOP_SLICES, STOP_SIDE_PX, STOP_WINDOWS = 16, 4096, 4
ESTIMATED = ((8, 512), (12, 2048), (24, 1024), (64, 512))
"""Slices and sides in pixels of the runs whose time is foretold."""


def lazy_stack(n_slices: int, side_px: int) -> FocusStack:
    """Make a stack of a relief, repeated to size, in chunks of 512 px that are copied when read."""
    tile = relief_scene(512, n_slices, photons=4000.0).stack

    def chunk(block_info: Any = None) -> np.ndarray:
        place = block_info[None]["array-location"]
        return tile[place[2][0], : np.diff(place[3])[0], : np.diff(place[4])[0]][None, None, None]

    sides = (512,) * (side_px // 512)
    data = da.map_blocks(
        chunk,
        chunks=((1,), (1,), (1,) * n_slices, sides, sides),
        dtype=tile.dtype,
        meta=np.empty((0,) * 5, tile.dtype),
    )
    return FocusStack(data, "stack", (1.0, 0.25, 0.25))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on the clock and of the processor."""
    started = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started[0], time.process_time() - started[1]


def run_of(stack: FocusStack, params: FuseParams) -> None:
    """Fuse, and drop the result."""
    outcome_of(iter_fuse(stack, params=params)).close()


def preview_of(stack: FocusStack, params: FuseParams, box: Box) -> None:
    """Fuse a part, and drop the result."""
    outcome_of(iter_preview(stack, params, box)).close()


def bench_previews(runs: dict[str, FuseParams]) -> None:
    """Fuse a window of 512² of 8 slices of 2048²."""
    stack = lazy_stack(8, 2048)
    box = preview_region(stack.shape_yx, Box(0, 2048, 0, 2048))
    rows = []
    for name, params in runs.items():
        work = partial(preview_of, stack, params, box)
        first = timed(work)
        later = [timed(work) for _ in range(PREVIEWS)]
        medians = [statistics.median(column) for column in zip(*later, strict=True)]
        rows.append([name, first[0], *medians])
    columns = ["engine", "first (s)", "later (s)", "processor, later (s)"]
    print_table(f"Preview of 8×512², median of {PREVIEWS}", columns, rows)


def gaps_of(steps: Iterator[Any]) -> dict[str, list[tuple[float, float]]]:
    """Return the times between two reports, by stage, until enough windows are done."""
    gaps: dict[str, list[tuple[float, float]]] = defaultdict(list)
    started, n_windows = (time.perf_counter(), time.process_time()), 0
    for progress in steps:
        now = time.perf_counter(), time.process_time()
        gaps[progress.stage].append((now[0] - started[0], now[1] - started[1]))
        n_windows += progress.window is not None
        if n_windows == STOP_WINDOWS:
            break
        started = time.perf_counter(), time.process_time()
    return gaps


def bench_stops(runs: dict[str, FuseParams]) -> None:
    """Time the steps of a run, which can be stopped between any two."""
    rows = []
    for name, params in runs.items():
        steps = iter_fuse(lazy_stack(STOP_SLICES, STOP_SIDE_PX), params=params)
        for stage, gaps in gaps_of(steps).items():
            clock, processor = zip(*gaps, strict=True)
            longest = sorted(processor)[-3:]
            shown = ", ".join(f"{seconds:.2f}" for seconds in reversed(longest))
            rows.append([name, stage, len(gaps), statistics.median(clock), max(clock), shown])
        steps.close()
    columns = ["engine", "stage", "steps", "median (s)", "longest (s)", "longest, processor (s)"]
    title = f"Steps of the first {STOP_WINDOWS} windows of {STOP_SLICES}×{STOP_SIDE_PX}²"
    print_table(title, columns, rows)


def bench_estimates(runs: dict[str, FuseParams]) -> None:
    """Compare estimates with runs."""
    rows = []
    for name, params in runs.items():
        trial = timed(partial(estimate_seconds, lazy_stack(2, 512), params))
        for n_slices, side_px in ESTIMATED:
            stack = lazy_stack(n_slices, side_px)
            foretold = estimate_seconds(stack, params)
            real = timed(partial(run_of, stack, params))
            words, ratio = words_for_seconds(foretold), foretold / real[0]
            size = f"{n_slices}×{side_px}²"
            rows.append([name, trial[0], size, words, foretold, *real, ratio])
    columns = ["engine", "first call (s)", "stack", "says", "estimate (s)", "run (s)"]
    print_table("Estimates", [*columns, "processor (s)", "estimate / run"], rows)


def main() -> None:
    """Measure and print."""
    print_machine()
    threads = {"threads": threads_for_window()}
    weights = sys.argv[1] if len(sys.argv) > 1 else None
    runs = {
        name: validated(FuseParams, {**options, **threads})
        for name, options in engine_runs(weights).items()
    }
    bench_previews(runs)
    bench_stops(runs)
    bench_estimates(runs)


if __name__ == "__main__":
    main()
