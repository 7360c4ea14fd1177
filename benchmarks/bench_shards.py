"""Measure what shards do for a large result: number of files, time, memory.

Claims: a result of 8192² px in shards has under a tenth of the files; whatever the size, to finish
it takes less than 0.4 GB of memory; a tile of 512² is read about as quickly.

Run: ``python benchmarks/bench_shards.py [SIDE_PX]``; prints a table. Needs 1 GB of disk.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_gmff.export.layout import Geometry, ImageSpec
from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.results import open_result

SIDE_PX = 8192
WINDOW_PX = 896
N_TILES = 50
RECORD = {"schema_version": 1, "program": "napari-gmff", "parameters": {}}


def specs_of(side_px: int) -> list[ImageSpec]:
    """Return the images of a fusion of one channel."""
    shape = (side_px, side_px)
    return [
        ImageSpec("fused", "yx", shape, np.dtype("uint16"), "intensity"),
        ImageSpec("focus_index", "yx", shape, np.dtype("uint8"), "index"),
        ImageSpec("depth", "yx", shape, np.dtype("float32"), "depth", "µm"),
        ImageSpec("confidence", "yx", shape, np.dtype("float32"), "confidence"),
    ]


def blocks() -> dict[str, np.ndarray]:
    """Return a window of each image: noise, and maps that change slowly."""
    rng = np.random.default_rng(0)
    slope = np.add.outer(np.arange(WINDOW_PX), np.arange(WINDOW_PX)) / WINDOW_PX
    return {
        "fused": rng.poisson(400, (WINDOW_PX, WINDOW_PX)).astype("u2"),
        "focus_index": (slope * 8).astype("u1"),
        "depth": (slope * 16).astype("f4"),
        "confidence": rng.random((WINDOW_PX, WINDOW_PX), dtype="f4").round(2),
    }


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one)
    return int(line.split()[1]) * 1024 / 1e6


def measure(folder: Path, side_px: int, shard_px: int) -> None:
    """Write and finish a result, and print one row of the table."""
    specs, windows = specs_of(side_px), blocks()
    started = time.perf_counter()
    group = create_working_store(folder / "result", specs)
    for spec in specs:
        for y in range(0, side_px, WINDOW_PX):
            for x in range(0, side_px, WINDOW_PX):
                height, width = min(WINDOW_PX, side_px - y), min(WINDOW_PX, side_px - x)
                place = (slice(y, y + height), slice(x, x + width))
                write_block(group, spec, 0, *place, windows[spec.name][:height, :width])
    written, before_mb = time.perf_counter(), peak_mb()
    finish_ome_zarr(group, specs, Geometry((0.5, 0.5)), RECORD, shard_px=shard_px)
    finished, finish_mb = time.perf_counter(), peak_mb()
    files = [path for path in (folder / "result").rglob("*") if path.is_file()]
    n_bytes = sum(path.stat().st_size for path in files)
    rng = np.random.default_rng(1)
    fused = open_result(folder / "result").fused
    began = time.perf_counter()
    for y, x in rng.integers(0, side_px // 512, (N_TILES, 2)) * 512:
        np.asarray(fused[y : y + 512, x : x + 512])
    tile_ms = (time.perf_counter() - began) / N_TILES * 1e3
    began = time.perf_counter()
    shutil.copytree(folder / "result", folder / "copy")
    copied_s = time.perf_counter() - began
    print(
        f"| {shard_px or 'none'} | {len(files)} | {n_bytes / 1e9:.2f} | {written - started:.0f} "
        f"| {finished - written:.0f} | {before_mb:.0f} | {finish_mb:.0f} | {tile_ms:.1f} "
        f"| {copied_s:.1f} |"
    )


def main() -> None:
    """Measure each variant in a process of its own, for its memory."""
    side_px = int(sys.argv[1]) if len(sys.argv) > 1 else SIDE_PX
    print(f"Result of {side_px}² px, 1 channel, {len(specs_of(side_px))} images")
    print(
        "| shards px | files | GB | write s | finish s | MB before | MB peak | tile ms | copy s |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for shard_px in (0, 4096):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, str(side_px), str(shard_px), folder]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measure(Path(sys.argv[3]), int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
