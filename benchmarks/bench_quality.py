"""Quality where the truth is known: demo, refined depth, confidence, and input smoothing.

Usage: python benchmarks/bench_quality.py [WEIGHTS]
"""

from __future__ import annotations

import sys
from typing import Any

import dask.array as da
import numpy as np
from engine_runs import engine_runs
from numpy.typing import NDArray
from table import print_machine, print_table

from napari_gmff import FocusStack, FuseParams, fuse
from napari_gmff.demo import demo_scene, demo_stack, score
from napari_gmff.engine_input import measure_input
from napari_gmff.engines.base import EngineOptions, FocusEngine
from napari_gmff.engines.registry import make_engine
from napari_gmff.metrics import auroc, fraction_within
from napari_gmff.plan import make_plan
from napari_gmff.scenes import Scene, fluorescence_scene, relief_scene
from napari_gmff.scores import ScoreKind
from napari_gmff.selection import SliceSelector, refined_depth

Options = dict[str, Any]

TEMPERATURES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)


def stack_of(scene: Scene) -> FocusStack:
    """Wrap a scene's pixels, one micrometre between slices."""
    data = da.from_array(scene.stack[None, None], chunks=(1, 1, 1, 512, 512))
    return FocusStack(data, "scene", voxel_size_um=(1.0, 0.2, 0.2))


def demo_rows(runs: dict[str, Options]) -> list[list[object]]:
    """Score the demo."""
    scene = demo_scene()
    rows: list[list[object]] = []
    for engine, options in runs.items():
        with fuse(demo_stack(scene), **options) as result:
            got = score(scene, result)
        rows.append([engine, got.psnr_db, got.best_psnr_db, got.accuracy, got.within_one,
                     got.confidence_auroc])  # fmt: skip
    return rows


def depth_rows(runs: dict[str, Options]) -> list[list[object]]:
    """Compare refined with unrefined depth on smooth relief."""
    rows: list[list[object]] = []
    for photons in (np.inf, 4000.0, 500.0):
        scene = relief_scene(512, 12, step=False, photons=photons, seed=1)
        for engine, options in runs.items():
            with fuse(stack_of(scene), **options) as result:
                where = scene.textured
                refined = np.abs(result.depth.compute() - scene.depth_slices)[where].mean()
                unrefined = np.abs(result.depth_unrefined.compute() - scene.depth_slices)
                plain = unrefined[where].mean()
            rows.append([engine, photons, float(plain), float(refined), float(refined / plain)])
    return rows


def fluorescence_rows(runs: dict[str, Options]) -> list[list[object]]:
    """Compare runs without and with automatic input smoothing on dim blobs."""
    scenes = {
        "clean": fluorescence_scene(),
        "2000 photons": fluorescence_scene(photons=2000),
        "200 photons + haze": fluorescence_scene(photons=200, haze=0.1),
        "dim, 2000 photons": fluorescence_scene(photons=2000, gain=0.1),
    }
    rows: list[list[object]] = []
    for name, scene in scenes.items():
        for engine, options in runs.items():
            row: list[object] = [name, engine]
            for sigma in (0.0, "auto"):
                with fuse(stack_of(scene), input_sigma_px=sigma, **options) as result:
                    index = result.focus_index.compute()
                    confidence = result.confidence.compute()
                    used = result.provenance["inputs"][0]["sigma_px"]
                row.append(fraction_within(index, scene.index, scene.textured, 1))
            wrong = np.abs(index.astype(int) - scene.index) > 1
            where = scene.textured
            rows.append([*row, used, auroc(-confidence[where], wrong[where])])
    return rows


def scored(scene: Scene, options: Options) -> tuple[FocusEngine, NDArray[np.float32]]:
    """Return the engine and its scores (N, Y, X) of a scene that fits one window."""
    params, stack = FuseParams(**options), stack_of(scene)
    engine = make_engine(params.engine, EngineOptions(weights=params.weights))
    seen = measure_input(stack, make_plan(stack, params), params, engine, 0)
    scores = np.empty(scene.stack.shape, np.float32)
    for item in engine.iter_scores(
        lambda k: seen.make([scene.stack[k]]), len(scores), scores.shape[1:]
    ):
        if item is not None:
            scores[(item.slice_index, *item.tile.slices)] = item.scores
    return engine, scores


def temperature_rows(runs: dict[str, Options]) -> list[list[object]]:
    """Judge confidence, on the demo scene, by what scores are divided by further."""
    scene = demo_scene()
    rows: list[list[object]] = []
    for options in runs.values():
        engine, scores = scored(scene, options)
        wrong = np.abs(scores.argmax(0) - scene.index) > 1
        row: list[object] = [engine.name]
        for temperature in TEMPERATURES:
            rivals = np.exp((scores - scores.max(0)) / temperature).sum(0)
            row.append(auroc(rivals[scene.textured], wrong[scene.textured]))
        rows.append(row)
    return rows


def shape_rows(runs: dict[str, Options]) -> list[list[object]]:
    """Compare refinement by parabola and by tent on the same scores of smooth relief."""
    rows: list[list[object]] = []
    for photons in (np.inf, 4000.0, 500.0):
        scene = relief_scene(512, 12, step=False, photons=photons, seed=1)
        for options in runs.values():
            engine, scores = scored(scene, options)
            selector = SliceSelector(scores.shape[1:])
            for plane in scores:
                selector.add(plane)
            row: list[object] = [engine.name, photons]
            for kind in (ScoreKind.LOG_ENERGY, ScoreKind.LOGITS):
                depth = refined_depth(selector.finish(), np.arange(12.0), kind)
                row.append(float(np.abs(depth - scene.depth_slices)[scene.textured].mean()))
            rows.append(row)
    return rows


def main() -> None:
    """Measure and print."""
    runs = engine_runs(sys.argv[1] if len(sys.argv) > 1 else None)
    print_machine()
    print_table(
        "Demo scene",
        ["engine", "PSNR (dB)", "of the true index", "accuracy", "within 1", "AUROC"],
        demo_rows(runs),
    )
    print_table(
        "Depth error on smooth relief (slices)",
        ["engine", "photons", "unrefined", "refined", "ratio"],
        depth_rows(runs),
    )
    print_table(
        "Depth error by the shape fitted (slices)",
        ["engine", "photons", "parabola", "tent"],
        shape_rows(runs),
    )
    print_table(
        "Confidence AUROC on the demo scene by temperature",
        ["engine", *map(str, TEMPERATURES)],
        temperature_rows(runs),
    )
    print_table(
        "Fluorescence: object pixels within one slice",
        ["scene", "engine", "sigma 0", "sigma auto", "auto (px)", "AUROC"],
        fluorescence_rows(runs),
    )


if __name__ == "__main__":
    main()
