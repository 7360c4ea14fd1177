"""How long the focus curve of a pixel takes: the first of a window, and others in it.

The stack is a tiled OME-TIFF on disk. Other pixels lie in small tiles that nobody asked for yet.

Usage: python benchmarks/bench_curves.py [WEIGHTS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from engine_runs import engine_runs
from table import print_machine, print_table

from napari_gmff import FusionResult, fuse, read_stack
from napari_gmff.scenes import relief_scene

SIDE_PX = 1024
N_OTHERS = 20


def write_stack(path: Path, n_slices: int) -> None:
    """Write a relief of one window."""
    scene = relief_scene(SIDE_PX, n_slices)
    options = {"ome": True, "metadata": {"axes": "ZYX"}, "tile": (256, 256)}
    tifffile.imwrite(path, scene.stack, **options)


def seconds_of(result: FusionResult, y: int, x: int) -> float:
    """Return how long one curve takes."""
    started = time.perf_counter()
    result.focus_curve(y, x)
    return time.perf_counter() - started


def other_pixels() -> list[tuple[int, int]]:
    """Return pixels of which no two share a tile, nor the first pixel's."""
    tiles = np.random.default_rng(0).permutation(np.arange(1, (SIDE_PX // 64) ** 2))[:N_OTHERS]
    return [(64 * int(tile // (SIDE_PX // 64)), 64 * int(tile % (SIDE_PX // 64))) for tile in tiles]


def main() -> None:
    """Measure and print."""
    weights = sys.argv[1] if len(sys.argv) > 1 else None
    rows = []
    for n_slices in (8, 16, 32):
        for engine, options in engine_runs(weights).items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "relief.ome.tif"
                write_stack(path, n_slices)
                with read_stack(path) as stack, fuse(stack, device="cpu", **options) as result:
                    first = seconds_of(result, 5, 5)
                    others = [seconds_of(result, y, x) for y, x in other_pixels()]
            rows.append([engine, n_slices, first, statistics.median(others), max(others)])
    print_machine()
    columns = ["engine", "slices", "first pixel (s)", "others, median (s)", "others, most (s)"]
    print_table(f"Focus curves in a window of {SIDE_PX}²", columns, rows)


if __name__ == "__main__":
    main()
