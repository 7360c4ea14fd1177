"""Peak memory of whole runs: 16 slices of 4096² and 8192², and a long stack.

Usage: python benchmarks/bench_memory.py [WEIGHTS] [--sides 4096,8192]

Needs Linux. Each run is a process of its own on a tiled OME-TIFF that is written first to a
temporary folder (2.1 GB for 8192²), so its peak is the whole program's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from engine_runs import engine_runs
from numpy.typing import NDArray
from table import print_machine, print_table

from napari_gmff.scenes import relief_scene

TILE_PX = 512


def write_stack(path: Path, n_slices: int, side_px: int) -> None:
    """Write a tiled 16-bit OME-TIFF of a repeated relief, tile by tile."""
    scene = relief_scene(TILE_PX, n_slices, photons=4000.0).stack

    def tiles() -> Iterator[NDArray[np.uint16]]:
        for plane in scene:
            for _ in range((side_px // TILE_PX) ** 2):
                yield plane

    tifffile.imwrite(
        path,
        tiles(),
        shape=(n_slices, side_px, side_px),
        dtype=np.uint16,
        tile=(TILE_PX, TILE_PX),
        photometric="minisblack",
        bigtiff=True,
        ome=True,
        metadata={"axes": "ZYX", "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm"},
    )


def run(source: Path, out: Path, options: list[str]) -> tuple[float, float]:
    """Fuse in a process of its own; return seconds and peak MB."""
    # ru_maxrss would count what this process held when it forked; VmHWM starts anew at exec.
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from napari_gmff.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(status.split('VmHWM:')[1].split()[0])\n"
        "sys.exit(code)\n"
    )
    arguments = ["fuse", str(source), "-o", str(out), "--quiet", *options]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - started, int(done.stdout) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="?")
    parser.add_argument("--sides", default="4096,8192")
    parser.add_argument("--long", type=int, default=300, help="slices of the long stack, 1024²")
    args = parser.parse_args()
    cases = [(16, int(side)) for side in args.sides.split(",")]
    if args.long:
        cases.append((args.long, 1024))
    engines = {
        name: [word for key, value in options.items() for word in (f"--{key}", value)]
        for name, options in engine_runs(args.weights).items()
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n_slices, side_px in cases:
            source = Path(folder) / "stack.ome.tif"
            write_stack(source, n_slices, side_px)
            for engine, options in engines.items():
                out = Path(folder) / f"{engine}-{side_px}.ome.zarr"
                seconds, peak_mb = run(source, out, options)
                rows.append([engine, f"{n_slices}×{side_px}²", seconds, peak_mb])
                print(rows[-1], flush=True)
            source.unlink()
    print_machine()
    print_table("Whole runs", ["engine", "stack", "seconds", "peak memory (MB)"], rows)


if __name__ == "__main__":
    main()
