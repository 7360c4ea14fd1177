"""Measure how well the contradiction map tells planted detail from what was measured.

Claims, for synthetic scenes with and without a gap between slices: detail planted in the fused
image is told from the rest with an AUROC above 0.97 where it is 10 times the noise or more; the
true sharp image scores below 1 and an unchanged one 0; five rounds of back-projection lower the
contradiction of planted spots to less than a third. Real stacks have no claim.

Run: ``python benchmarks/bench_contradiction.py [STACK …]``; prints a row for each scene, and for
each stack that is named, of which the middle 512 px and the middle channel are looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage
from table import print_machine, print_table

from napari_gmff import FocusStack, fuse, read_stack
from napari_gmff.evaluation import microscope_scenes
from napari_gmff.metrics import auroc
from napari_gmff.restoration.consistency.back_projection import iter_back_projection
from napari_gmff.restoration.consistency.blur_map import iter_blur_map
from napari_gmff.restoration.consistency.contradiction import iter_contradiction
from napari_gmff.restoration.consistency.measured_slices import MeasuredSlices
from napari_gmff.restoration.self_test_run import without_slices
from napari_gmff.steps import outcome_of

SIDE_PX = 512
GAP = (4, 5, 6, 7)
KINDS = ("spot", "line", "texture")
LEVELS = (10, 30)
"""Amplitudes in standard deviations of the noise."""

N_DETAILS = 10
ROUNDS = 5
FAST = {"engine": "laplacian-energy", "device": "cpu"}


class Case:
    """A fused image with its stack.

    Parameters
    ----------
    stack : FocusStack
        At most as large as is worth a benchmark.
    options
        For `fuse`.
    """

    def __init__(self, stack: FocusStack, **options: object) -> None:
        with fuse(stack, **FAST, **options) as result:
            fused = result.fused.compute()
            self.slices = MeasuredSlices(stack, result.provenance)
        planes = fused.reshape(-1, *fused.shape[-2:])
        self.channel = len(planes) // 2
        self.fused = planes[self.channel].astype(np.float32)
        self.noise = self.slices.noise(0, self.channel)
        n_slices, z = self.slices.n_slices, self.slices.z
        self.blur = outcome_of(iter_blur_map(self.fused, self.read, n_slices, z, self.noise))

    def read(self, position, box):
        """Read a part of a slice."""
        return self.slices.part(position, 0, self.channel, box)

    def contradiction(self, image: np.ndarray) -> np.ndarray:
        """Return the map for an image that may differ everywhere."""
        mask = np.ones(image.shape, bool)
        image = image.astype(np.float32)
        steps = iter_contradiction(self.fused, image, mask, self.blur, self.read, self.noise)
        return outcome_of(steps)

    def pulled(self, image: np.ndarray) -> np.ndarray:
        """Return an image after some rounds of back-projection."""
        weight = np.ones(image.shape, np.float32)
        for _ in range(ROUNDS):
            steps = iter_back_projection(self.fused, image, weight, self.blur, self.read)
            image = outcome_of(steps)
        return image


def planted(shape: tuple[int, int], kind: str, amplitude: float) -> np.ndarray:
    """Return details of one kind in grey levels, at random places."""
    rng = np.random.default_rng(KINDS.index(kind))
    details = np.zeros(shape, np.float32)
    for _ in range(N_DETAILS):
        y, x = (int(rng.integers(20, side - 20)) for side in shape)
        one = np.zeros(shape, np.float32)
        if kind == "spot":
            one[y, x] = 1
            one = ndimage.gaussian_filter(one, 1.5)
        elif kind == "line":
            one[y, x - 12 : x + 12] = 1
            one = ndimage.gaussian_filter(one, 1.0)
        else:
            grain = ndimage.gaussian_filter(rng.standard_normal((24, 24)), 1.0)
            one[y - 12 : y + 12, x - 12 : x + 12] = grain
        details += one * np.float32(amplitude / np.abs(one).max())
    return details


def row_of(name: str, case: Case, truth: np.ndarray | None) -> list[str]:
    """Return a row of the table."""
    row = [name, f"{case.noise:.3g}", f"{case.contradiction(case.fused.copy()).max():g}"]
    row.append("" if truth is None else f"{np.median(case.contradiction(truth)):.2f}")
    for kind in KINDS:
        found = []
        for level in LEVELS:
            details = planted(case.fused.shape, kind, level * case.noise)
            strength = np.abs(details) / np.abs(details).max()
            far = ndimage.binary_erosion(strength < 0.01, iterations=3, border_value=1)
            judged, is_planted = (strength > 0.3) | far, strength > 0.3
            scores = case.contradiction(case.fused + details)
            found.append(f"{auroc(scores[judged], is_planted[judged]):.3f}")
        row.append(" ".join(found))
    spots = planted(case.fused.shape, "spot", 30 * case.noise)
    where = spots > 0.3 * spots.max()
    before, after = (
        case.contradiction(image)[where].mean()
        for image in (case.fused + spots, case.pulled(case.fused + spots))
    )
    return [*row, f"{before:.1f} → {after:.1f}"]


def middle_of(stack: FocusStack) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the middle of a stack as a region."""
    rows, columns = (
        ((side - min(side, SIDE_PX)) // 2, (side + min(side, SIDE_PX)) // 2)
        for side in stack.shape_yx
    )
    return rows, columns


def main(paths: list[str]) -> None:
    """Print the table."""
    relief = microscope_scenes.relief(1, 384, 12)
    blobs = microscope_scenes.fluorescence(1, 384, 12, photons=2000, haze=0.1)
    cases = {
        "relief": (Case(relief.as_stack("relief")), relief.sharp),
        "relief, gap": (Case(without_slices(relief.as_stack("relief"), GAP)), relief.sharp),
        "fluorescence": (Case(blobs.as_stack("fluorescence")), blobs.sharp),
    }
    rows = [row_of(name, *case) for name, case in cases.items()]
    for path in paths:
        with read_stack(path) as stack:
            case = Case(stack, region=middle_of(stack))
            rows.append(row_of(Path(path).name, case, None))
    levels = " and ".join(map(str, LEVELS))
    heads = [f"AUROC {kind}, {levels} σ" for kind in KINDS]
    columns = ["scene", "noise", "unchanged", "truth", *heads, f"{ROUNDS} rounds, 30 σ spots"]
    print_machine()
    print_table("Planted detail in the contradiction map", columns, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
