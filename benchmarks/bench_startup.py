"""How long import and --help take, in fresh processes.

Usage: python benchmarks/bench_startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from table import print_machine, print_table

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import napari_gmff": ["-c", "import napari_gmff"],
    "import the reader": ["-c", "from napari_gmff import read_stack"],
    "napari-gmff --help": ["-m", "napari_gmff", "--help"],
    "napari-gmff fuse --help": ["-m", "napari_gmff", "fuse", "--help"],
}


def main() -> None:
    """Measure and print."""
    rows = []
    for name, arguments in COMMANDS.items():
        times = []
        for _ in range(7):
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        rows.append([name, min(times), statistics.median(times)])
    print_machine()
    print_table("Start-up", ["what", "least (s)", "median (s)"], rows)


if __name__ == "__main__":
    main()
