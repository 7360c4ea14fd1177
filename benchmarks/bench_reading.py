"""Measure how lazily a large pyramidal OME-TIFF is opened and read.

Claims: opening an 8 × 4096² pyramidal OME-TIFF takes less than 0.3 s (imports aside) and less
than 30 MB; a window of 512² through its 8 slices touches only its tiles.

Run: ``python benchmarks/bench_reading.py``; prints a table.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from napari_gmff.reading.open import read_stack

SIDE_PX = 4096
N_SLICES = 8
TILE_PX = 256
ROUNDS = 5


def write_pyramid(path: Path, compression: str | None) -> None:
    """Write a tiled OME-TIFF of noise, uint16, with three coarser levels."""
    data = np.random.default_rng(0).integers(0, 4096, (N_SLICES, SIDE_PX, SIDE_PX), dtype="u2")
    options = {"tile": (TILE_PX, TILE_PX), "compression": compression, "photometric": "minisblack"}
    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as writer:
        writer.write(data, subifds=3, metadata={"axes": "ZYX"}, **options)
        for step in (2, 4, 8):
            writer.write(data[:, ::step, ::step], subfiletype=1, **options)


def write_strips(path: Path, compression: str | None) -> None:
    """Write a TIFF of noise, uint16, in strips of one row each."""
    data = np.random.default_rng(0).integers(0, 4096, (N_SLICES, SIDE_PX, SIDE_PX), dtype="u2")
    tifffile.imwrite(path, data, rowsperstrip=1, compression=compression, metadata={"axes": "ZYX"})


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage also counts the parent's memory from before this process was started.
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / 1e6


def read_mb() -> float:
    """MB that this process has read from files through calls, so far."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        return 0.0
    line = next(one for one in counters.read_text().splitlines() if one.startswith("rchar"))
    return int(line.split()[1]) / 1e6


def measure(path: Path) -> dict[str, float]:
    """Open a file and read a window of 512² of every slice, several times.

    Returns
    -------
    dict
        Median seconds to open and to read, growth of peak memory on the first opening in MB,
        MB read for a window (0 where it is mapped or cannot be told), MB that its pixels take.
    """
    before_mb = peak_mb()
    opening, reading = [], []
    grown_mb = 0.0
    for round_ in range(ROUNDS):
        start = time.perf_counter()
        stack = read_stack(path)
        opening.append(time.perf_counter() - start)
        if round_ == 0:
            grown_mb = peak_mb() - before_mb
        read_before = read_mb()
        start = time.perf_counter()
        window = stack.data[0, 0, :, 1024:1536, 2048:2560].compute()
        reading.append(time.perf_counter() - start)
        window_mb = read_mb() - read_before
        stack.close()
    return {
        "open_s": float(np.median(opening)),
        "open_mb": grown_mb,
        "read_s": float(np.median(reading)),
        "read_mb": window_mb,
        "pixels_mb": window.nbytes / 1e6,
    }


def main() -> None:
    """Print the table; each file is measured in a process of its own, for its memory."""
    if len(sys.argv) == 3:
        # Load what an opening imports: the claim is about opening.
        small = Path(sys.argv[2])
        with read_stack(small) as stack:
            stack.data.compute()
        found = measure(Path(sys.argv[1]))
        print("  ".join(f"{name} {value:8.3f}" for name, value in found.items()))
        return
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.ome.tif"
        tifffile.imwrite(small, np.zeros((2, 32, 32), "u2"), metadata={"axes": "ZYX"})
        for layout, write in (("tiled pyramid", write_pyramid), ("strips of 1 row", write_strips)):
            for compression in (None, "zlib"):
                path = Path(folder) / "large.ome.tif"
                write(path, compression)
                print(f"{layout:16} {compression or 'raw':5}", end=" ", flush=True)
                subprocess.run([sys.executable, __file__, str(path), str(small)], check=True)


if __name__ == "__main__":
    main()
