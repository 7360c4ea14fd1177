"""Ten kills of one run at random moments: what is lost, and what keeping the windows costs.

Usage: python benchmarks/bench_resume.py [--side 4096] [--slices 16] [--kills 10] [--seed 0]

Needs POSIX. The engine is `laplacian-energy`, with which keeping the windows weighs most. Times are
processor times of whole programs, killed ones included: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_memory import write_stack
from table import print_machine, print_table

TIMED = """
import sys, time
from napari_gmff.unfinished.keeper import RunKeeper
spent_s = [0.0]
def timed(method):
    def call(*args):
        began_s = time.process_time()
        try:
            return method(*args)
        finally:
            spent_s[0] += time.process_time() - began_s
    return call
for name in ("__init__", "open_store", "add"):
    setattr(RunKeeper, name, timed(getattr(RunKeeper, name)))
from napari_gmff.cli.main import main
began_s = time.process_time()
code = main(sys.argv[1:])
print(spent_s[0], time.process_time() - began_s)
sys.exit(code)
"""


def command(source: Path, out: Path, *flags: str) -> list[str]:
    """Return the arguments of a run."""
    return ["fuse", str(source), "-o", str(out), "--engine", "laplacian-energy", *flags]


def run(arguments: list[str], kill_after_s: float | None = None) -> tuple[int, float, str]:
    """Run the program; return its exit status, processor seconds, and what it printed."""
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(arguments, stdout=printed, stderr=subprocess.DEVNULL)
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        return process.returncode, usage.ru_utime + usage.ru_stime, printed.read()


def finished_windows(out: Path) -> int:
    """Count the windows that the journal of a stopped run holds."""
    journal = out.with_name(f".{out.name}.unfinished") / "journal"
    return journal.read_text().count('"window"') if journal.exists() else 0


def pixels_of(out: Path) -> dict[str, bytes]:
    """Return every file of a result but its record."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    del found["zarr.json"]
    return found


def killed_runs(
    source: Path, out: Path, n_kills: int, whole_s: float, seed: int
) -> tuple[list[list[Any]], float, dict[str, Any]]:
    """Kill, and finish at last; return a row for each kill, seconds of all, and the report."""
    rng = np.random.default_rng(seed)
    program = [sys.executable, "-m", "napari_gmff", *command(source, out, "--resume", "--json")]
    rows: list[list[Any]] = []
    total_s = 0.0
    for number in range(1, n_kills + 1):
        before = finished_windows(out)
        # So that all kills together come to nearly the time of a run.
        moment_s = float(rng.uniform(0, 1.8 * whole_s / n_kills))
        status, seconds, _ = run(program, moment_s)
        if status != -signal.SIGKILL:
            raise SystemExit(f"the run ended before kill {number}; try another --seed")
        after = finished_windows(out)
        total_s += seconds
        rows.append([number, moment_s, before, after, max(0, before - after)])
        print(rows[-1], flush=True)
    status, seconds, printed = run(program)
    if status:
        raise SystemExit(f"the last run ended with {status}")
    report: dict[str, Any] = json.loads(printed)
    return rows, total_s + seconds, report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "stack.ome.tif"
        write_stack(source, args.slices, args.side)
        whole, killed = Path(folder) / "whole.ome.zarr", Path(folder) / "killed.ome.zarr"
        began_s = time.perf_counter()
        _, whole_cpu_s, printed = run(
            [sys.executable, "-c", TIMED, *command(source, whole, "--quiet")]
        )
        whole_s = time.perf_counter() - began_s
        keeping_s, in_all_s = (float(word) for word in printed.split())
        print(f"whole run: {whole_s:.1f} s, {whole_cpu_s:.1f} s of processor time", flush=True)
        rows, killed_cpu_s, report = killed_runs(source, killed, args.kills, whole_s, args.seed)
        is_equal = pixels_of(whole) == pixels_of(killed)
    print_machine()
    print_table("Kills", ["kill", "after (s)", "windows before", "after", "lost"], rows)
    resumed = report["resumed"]
    print_table(
        f"{args.slices}×{args.side}², `laplacian-energy`, {args.kills} kills",
        ["what", "figure"],
        [
            ["run that was not stopped (processor s)", whole_cpu_s],
            ["killed runs and the last one together (processor s)", killed_cpu_s],
            ["lost by a kill, on average (processor s)", (killed_cpu_s - whole_cpu_s) / args.kills],
            ["windows of the run", resumed["n_total"]],
            ["finished windows done again", sum(row[-1] for row in rows) + resumed["n_damaged"]],
            ["keeping the windows, share of the run (%)", 100 * keeping_s / in_all_s],
            ["files equal byte for byte, but for the record", "yes" if is_equal else "NO"],
        ],
    )


if __name__ == "__main__":
    main()
