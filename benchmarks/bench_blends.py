"""Engines that compute pixels: likeness to the truth, seams, time and memory.

Usage: python benchmarks/bench_blends.py

Seams are the differences between windows of 1024 px and one window that is the whole image, with
noise, so that what decides is smoothed and looks further than the halo.
"""

from __future__ import annotations

import time
import tracemalloc

import dask.array as da
import numpy as np
from table import print_machine, print_table

from napari_gmff import FocusStack, fuse
from napari_gmff.demo import FULL_SCALE, demo_scene, demo_stack
from napari_gmff.metrics import psnr_db
from napari_gmff.params import BLEND_ENGINES, CLASSICAL_ENGINES
from napari_gmff.scenes import relief_scene

SEAM_PX = 1536
SEAM_SLICES = 6


def main() -> None:
    """Measure and print."""
    print_machine()
    print_table(
        "Demo scene, 12×768²",
        ["engine", "PSNR (dB)", "processor time (s)", "s per megapixel-slice"],
        [_demo_row(engine) for engine in (*CLASSICAL_ENGINES, *BLEND_ENGINES)],
    )
    print_table(
        f"Seams, {SEAM_SLICES}×{SEAM_PX}², 500 photons, windows of 1024 px, halo 64",
        ["engine", "input sigma (px)", "pixels that differ", "most (grey levels of 40000)"],
        [_seam_row(engine) for engine in BLEND_ENGINES],
    )
    print_table(
        "Peak of arrays while 4×1024² is fused in one window",
        ["engine", "grey (MB)", "RGB (MB)"],
        [[engine, _peak_mb(engine, 1), _peak_mb(engine, 3)] for engine in BLEND_ENGINES],
    )


def _demo_row(engine: str) -> list[object]:
    scene = demo_scene()
    started_s = time.process_time()
    with fuse(demo_stack(scene), engine=engine) as result:
        seconds = time.process_time() - started_s
        psnr = psnr_db(result.fused.compute(), scene.sharp, FULL_SCALE)
    return [engine, psnr, seconds, seconds / (scene.stack.size / 1e6)]


def _seam_row(engine: str) -> list[object]:
    scene = relief_scene(SEAM_PX, SEAM_SLICES, photons=500.0, seed=3)
    data = da.from_array(scene.stack[None, None], chunks=(1, 1, 1, 512, 512))
    images, sigma_px = [], 0.0
    for block_px in (1024, SEAM_PX):
        with fuse(FocusStack(data, "relief"), engine=engine, block_px=block_px) as result:
            images.append(result.fused.compute().astype(int))
            sigma_px = result.provenance["inputs"][0]["sigma_px"]
    off = np.abs(images[0] - images[1])
    return [engine, sigma_px, float((off > 0).mean()), int(off.max())]


def _peak_mb(engine: str, n_samples: int) -> float:
    grey = relief_scene(1024, 4, photons=4000.0, seed=3).stack
    array = grey if n_samples == 1 else np.repeat(grey[..., None], n_samples, axis=-1)
    data = da.from_array(array[None, None], chunks=-1)
    tracemalloc.start()
    with fuse(FocusStack(data, "relief"), engine=engine):
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    main()
