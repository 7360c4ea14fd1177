"""Do window borders show? Errors near them against errors elsewhere, on a 3072² scene.

Usage: python benchmarks/bench_seams.py [WEIGHTS]

A scene is not equally hard everywhere, so the same pixels are also given as they come out when the
whole image is one window, which has no borders.
"""

from __future__ import annotations

import sys

import dask.array as da
import numpy as np
from engine_runs import engine_runs
from table import print_machine, print_table

from napari_gmff import FocusStack, fuse
from napari_gmff.scenes import relief_scene
from napari_gmff.windows import window_grid

SIDE_PX = 3072
N_SLICES = 8
NEAR_PX = 32


def main() -> None:
    """Measure and print."""
    scene = relief_scene(SIDE_PX, N_SLICES, photons=4000.0, seed=3)
    data = da.from_array(scene.stack[None, None], chunks=(1, 1, 1, 1024, 1024))
    near = np.zeros((SIDE_PX, SIDE_PX), bool)
    for window in window_grid((SIDE_PX, SIDE_PX), 1024, 64):
        for border in {window.core.y0, window.core.y1} - {0, SIDE_PX}:
            near[border - NEAR_PX : border + NEAR_PX] = True
        for border in {window.core.x0, window.core.x1} - {0, SIDE_PX}:
            near[:, border - NEAR_PX : border + NEAR_PX] = True
    runs = engine_runs(sys.argv[1] if len(sys.argv) > 1 else None)
    rows = []
    for engine, options in runs.items():
        wrong = {}
        for block_px in (1024, SIDE_PX):
            stack = FocusStack(data, "relief")
            with fuse(stack, block_px=block_px, **options) as result:
                wrong[block_px] = result.focus_index.compute() != scene.index
        for name, where in (("all", np.ones_like(near)), ("textured", scene.textured)):
            beside, elsewhere = (float(wrong[1024][part & where].mean()) for part in (near, ~near))
            whole = float(wrong[SIDE_PX][near & where].mean())
            limit = 1.2 * elsewhere + 0.001
            rows.append([engine, name, beside, elsewhere, limit, beside <= limit, whole])
    print_machine()
    columns = [
        "engine",
        "pixels",
        f"wrong within {NEAR_PX} px",
        "wrong elsewhere",
        "limit",
        "met",
        f"within {NEAR_PX} px, one window",
    ]
    print_table(f"Seams, {N_SLICES}×{SIDE_PX}², windows of 1024 px, halo 64", columns, rows)


if __name__ == "__main__":
    main()
