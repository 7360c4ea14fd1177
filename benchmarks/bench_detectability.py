"""How much of the column "recipe + noise" could be told by anyone: slices that noise makes alike.

Usage: python benchmarks/bench_detectability.py

The true slice is compared with each that is two or more off, without noise, in a window round the
pixel. Their distance in standard deviations of the noise is what an observer has to go by who
knows both slices exactly, and has to say only which of the two is which.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage
from table import print_machine, print_table

from napari_gmff.evaluation.recipe_scenes import recipe_scene

N_SCENES = 8
SIDE_PX = 512
NOISE_GREY = 4.0
WINDOWS_PX = (9, 17, 33, 65)


def main() -> None:
    """Measure and print."""
    print_machine()
    found = np.mean([_shares(number) for number in range(N_SCENES)], axis=0)
    print_table(
        f"Pixels whose true slice is hard to tell from one that is two or more off, {N_SCENES} "
        f"scenes of {SIDE_PX}², noise of {NOISE_GREY:g} grey levels",
        ["window (px)", "distance below 1", "below 2", "below 3", "errors of that observer"],
        [[side, *map(float, row)] for side, row in zip(WINDOWS_PX, found, strict=True)],
    )


def _shares(number: int) -> list[list[float]]:
    scene = recipe_scene(number, SIDE_PX)
    slices, truth = scene.stack.astype(np.float32), np.rint(scene.depth).astype(int)
    rows = []
    for side in WINDOWS_PX:
        distance = _least_distance(slices, truth, side)
        errors = float(np.mean(ndimage.map_coordinates(_TAIL, [distance * 100], order=1)))
        rows.append([*(float((distance < limit).mean()) for limit in (1, 2, 3)), errors])
    return rows


_TAIL = np.array([0.5 * math.erfc(value / 100 / 2 / math.sqrt(2)) for value in range(5000)])
"""Error of telling two Gaussians apart, by a hundred times their distance."""


def _least_distance(slices: np.ndarray, truth: np.ndarray, side: int) -> np.ndarray:
    """Return how far the nearest rival of the true slice is, in standard deviations."""
    least = np.full(truth.shape, np.inf, np.float32)
    for k in np.unique(truth):
        mine = truth == k
        for j in range(len(slices)):
            if abs(j - k) >= 2:
                energy = ndimage.uniform_filter((slices[k] - slices[j]) ** 2, side) * side**2
                # The observer sees both: k first and j second, or the other way round.
                distance = np.sqrt(np.maximum(2 * energy, 0)) / NOISE_GREY
                least[mine] = np.minimum(least[mine], distance[mine])
    return np.minimum(least, 49.0)


if __name__ == "__main__":
    main()
