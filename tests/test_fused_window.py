from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.engine_input import ChannelScale, EngineInput
from napari_gmff.engines.base import EngineOptions
from napari_gmff.fused_window import FusedWindow, fuse_window
from napari_gmff.params import FuseParams
from napari_gmff.plan import make_plan
from napari_gmff.result_images import result_images
from napari_gmff.window_reader import WindowReader
from tests.stacks import NeighbourEngine, stack_of, textured


def fused_windows(array: np.ndarray, axes: str, **options: object) -> list[FusedWindow | None]:
    """Return what each window of a stack yields, one after the other."""
    stack = stack_of(array, axes)
    params = FuseParams.model_validate({"block_px": 128, "halo_px": 16, **options})
    plan = make_plan(stack, params)
    specs = result_images(stack, plan, params, True)
    seen = EngineInput((ChannelScale(0, 0.0, 65_535.0, 0.0, 1.0),), 0.0, True, ())
    items: list[FusedWindow | None] = []
    for window in plan.windows:
        reader = WindowReader(stack, plan, 0, window, seen)
        engine = NeighbourEngine(EngineOptions())
        items += fuse_window(engine, reader, plan, window, specs, None, True)
    return items


def test_parts_cover_the_region_once_and_come_last() -> None:
    items = fused_windows(textured((3, 200, 210)), "ZYX", region=((20, 190), (30, 200)))
    covered = np.zeros((170, 170), int)
    for item in items:
        if item is not None:
            covered[item.place] += 1
            for block in item.blocks.values():
                assert block.shape == covered[item.place].shape
    assert (covered == 1).all()
    assert items[-1] is not None
    assert items.count(None) > 3 * 4


@pytest.mark.parametrize("projections", [False, True])
def test_a_run_can_be_stopped_between_the_slices_that_are_copied(projections: bool) -> None:
    array = textured((4, 60, 60))
    scored = NeighbourEngine(EngineOptions()).n_steps(4, (60, 60))
    items = fused_windows(array, "ZYX", projections=projections)
    assert items.count(None) == scored + 4


def test_colour_samples_become_channels() -> None:
    array = np.stack([textured((3, 40, 50), seed=seed) for seed in range(3)], -1)
    (*_, part) = fused_windows(array, "ZYXS", projections=True)
    assert part is not None
    assert part.blocks["fused"].shape == (3, 40, 50)
    np.testing.assert_array_equal(
        part.blocks["max_projection"], array.max(0).transpose(2, 0, 1), strict=True
    )


def test_voxels_are_counted_once_whatever_the_windows() -> None:
    array = textured((3, 200, 210), "float32")
    array[1, 90:120, 80:130] = np.nan  # across the borders of windows
    items = fused_windows(array, "ZYX")
    assert sum(item.invalid_voxels for item in items if item) == 30 * 50
