"""How much faster windows are evaluated than by the plain network, in one process.

Usage: python benchmarks/bench_network_speed.py [WEIGHTS]

Plain = the unfolded network, NCHW, fp32, `inference_mode`, the whole tensor at once. Both run with
the same threads and allocator, in turn, and the ratio is taken pair by pair. Without WEIGHTS (the
authors' checkpoint, or a stored model's name) the network has random weights.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray
from table import print_machine, print_table

from napari_gmff.network.checkpoint import load_model
from napari_gmff.network.evaluator import StackMFFV4Evaluator
from napari_gmff.network.stackmff_v4 import ARCHITECTURE, StackMFFV4
from napari_gmff.scenes import relief_scene
from napari_gmff.weights.resolve import resolve_weights

CASES = ((16, 512, 5), (8, 2048, 3))
"""Slices, side in pixels, pairs of runs."""


def stack_of(n_slices: int, side_px: int) -> NDArray[np.float32]:
    """Make a stack (N, side, side) in 0...1 from a synthetic relief, repeated to size."""
    scene = relief_scene(512, n_slices, photons=np.inf)
    repeats = side_px // 512
    return np.tile(scene.stack.astype(np.float32) / 40_000, (1, repeats, repeats))


def main() -> None:
    """Measure and print."""
    model = StackMFFV4().eval()
    if len(sys.argv) > 1:
        model = load_model(resolve_weights(sys.argv[1], ARCHITECTURE)[0])
    evaluator = StackMFFV4Evaluator(model, torch.device("cpu"))
    print_machine()
    rows = []
    for n_slices, side_px, pairs in CASES:
        stack = stack_of(n_slices, side_px)

        def plain(stack: NDArray[np.float32] = stack) -> NDArray[np.int64]:
            with torch.inference_mode():
                return model(torch.from_numpy(stack)[None])[0].argmax(0).numpy()

        def ours(stack: NDArray[np.float32] = stack) -> NDArray[np.int64]:
            return evaluated_index(evaluator, stack)

        equal = float((plain() == ours()).mean())
        times = [(timed(plain), timed(ours)) for _ in range(pairs)]
        ratios = [a / b for a, b in times]
        best = [min(column) for column in zip(*times, strict=True)]
        rows.append(
            [f"{n_slices}×{side_px}²", *best, statistics.median(ratios), min(ratios), equal]
        )
    columns = ["stack", "plain (s)", "ours (s)", "times faster, median", "least", "index equal"]
    print_table("StackMFF V4 on the CPU", columns, rows)


def evaluated_index(
    evaluator: StackMFFV4Evaluator, stack: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Evaluate as the engine does, with a running argmax."""
    best = np.full(stack.shape[1:], -np.inf, np.float32)
    index = np.zeros(stack.shape[1:], np.int64)
    n_slices, height, width = stack.shape
    coarse = np.empty((n_slices, height // 4, width // 4, 24), np.float32)
    for item in evaluator.iter_scores(stack.__getitem__, n_slices, (height, width), coarse):
        if item is not None:
            place = item.tile.slices
            wins = item.scores > best[place]
            index[place][wins] = item.slice_index
            best[place][wins] = item.scores[wins]
    return index


def timed(run: object) -> float:
    """Return the seconds a call takes."""
    started = time.perf_counter()
    run()  # type: ignore[operator]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
