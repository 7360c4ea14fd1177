"""The demo: a synthetic stack with known truth, fused and scored, with a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.metrics import auroc, fraction_within, psnr_db
from napari_gmff.panel import Tile, colored, draw_panel, grey
from napari_gmff.scenes import Scene, relief_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

FULL_SCALE = 40_000.0


@dataclass(frozen=True)
class DemoScores:
    """How the demo's result compares with the truth, on textured pixels where it says so.

    What concerns the choice of slices is None for an engine that computes pixels.

    Attributes
    ----------
    psnr_db, best_psnr_db, slice_psnr_db : float
        Fused image, the fusion that the true index would give, and the best single slice,
        against the sharp scene without noise.
    accuracy, within_one : float
        Fraction of textured pixels whose slice is right, or at most one off.
    depth_error_um, unrefined_error_um : float
        Mean absolute depth error of textured pixels.
    confidence_auroc : float
        How well low confidence tells textured pixels that are more than one slice off.
    """

    psnr_db: float
    best_psnr_db: float
    slice_psnr_db: float
    accuracy: float | None = None
    within_one: float | None = None
    depth_error_um: float | None = None
    unrefined_error_um: float | None = None
    confidence_auroc: float | None = None


def demo_scene() -> Scene:
    """Make the demo's scene: 12 slices of 768², a tilted relief with a step, 4000 photons."""
    return relief_scene(768, 12, photons=4000.0, seed=20)


def demo_stack(scene: Scene) -> FocusStack:
    """Turn a scene into a stack with its voxel size."""
    import dask.array as da

    from napari_gmff.reading.stack import FocusStack

    return FocusStack(
        data=da.from_array(scene.stack[None, None], chunks=(1, 1, 1, 512, 512)),
        name="demo",
        voxel_size_um=(scene.z_step_um, scene.pixel_size_um, scene.pixel_size_um),
        metadata={"reader": "synthetic scene"},
    )


def score(scene: Scene, result: FusionResult) -> DemoScores:
    """Compare a result with the truth."""
    best = np.take_along_axis(scene.stack, scene.index[None], axis=0)[0]
    pixels = DemoScores(
        psnr_db=psnr_db(result.fused.compute(), scene.sharp, FULL_SCALE),
        best_psnr_db=psnr_db(best, scene.sharp, FULL_SCALE),
        slice_psnr_db=max(psnr_db(plane, scene.sharp, FULL_SCALE) for plane in scene.stack),
    )
    if not result.pixels_copied:
        return pixels
    index = result.focus_index.compute()
    depth_um = scene.depth_slices * scene.z_step_um
    textured = scene.textured
    wrong = np.abs(index.astype(int) - scene.index) > 1

    def depth_error(depth: NDArray[Any]) -> float:
        return float(np.abs(depth - depth_um)[textured].mean())

    return replace(
        pixels,
        accuracy=fraction_within(index, scene.index, textured, 0),
        within_one=fraction_within(index, scene.index, textured, 1),
        depth_error_um=depth_error(result.depth.compute()),
        unrefined_error_um=depth_error(index * scene.z_step_um),
        confidence_auroc=auroc(-result.confidence.compute()[textured], wrong[textured]),
    )


def write_demo_panel(scene: Scene, result: FusionResult, path: Path) -> None:
    """Write a picture of one slice, the fused image, the maps, and where the map is wrong."""
    middle = len(scene.stack) // 2
    last = len(scene.stack) - 1
    slice_tile = Tile(f"slice {middle} of 0 to {last}", grey(scene.stack[middle], 0, FULL_SCALE))
    if not result.pixels_copied:
        blended = Tile("fused (blended)", grey(result.fused.compute(), 0, FULL_SCALE))
        truth = Tile("truth", grey(scene.sharp, 0, FULL_SCALE))
        draw_panel([slice_tile, blended, truth], path, columns=3)
        return
    index = result.focus_index.compute()
    off = np.abs(index.astype(int) - scene.index)
    unit = result.depth_unit
    depth = result.depth.compute()
    tiles = [
        slice_tile,
        Tile("fused", grey(result.fused.compute(), 0, FULL_SCALE)),
        Tile(f"focus index 0 to {last}", colored(index, 0, last)),
        Tile(f"depth {depth.min():.1f} to {depth.max():.1f} {unit}", colored(depth)),
        Tile("confidence 0 to 1", grey(result.confidence.compute(), 0, 1)),
        Tile("slices off truth, 0 to 3 (flat areas: noise)", colored(off, 0, 3)),
    ]
    draw_panel(tiles, path, columns=3)
