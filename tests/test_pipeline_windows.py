"""What those who show results while they come are told: images, place, and each finished window."""

from __future__ import annotations

from itertools import pairwise

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack, iter_fuse
from napari_gmff.live_images import LiveImages
from napari_gmff.pipeline import Progress
from napari_gmff.results import FusionResult
from tests.stacks import (
    SMALL_BLOCKS,
    NeighbourEngine,
    assert_same_images,
    registered,
    stack_of,
    textured,
)

CASES = {
    "plane": (textured((3, 150, 170)), "ZYX", {}),
    "time series": (textured((3, 2, 140, 150)), "TZYX", {}),
    "channels": (textured((2, 3, 140, 150)), "CZYX", {"projections": True}),
    "channels of a time series": (textured((2, 2, 2, 140, 130)), "TCZYX", {"time": "1"}),
    "region": (textured((3, 200, 210)), "ZYX", {"region": "37:160,51:209"}),
    "float, unordered": (textured((3, 140, 150), "float32"), "ZYX", {"slice_order": "unordered"}),
}


def colours() -> FocusStack:
    array = np.moveaxis(textured((3, 2, 140, 150), "uint8"), 0, -1)
    return FocusStack(da.from_array(array[None, None]), "colours")


def progress_and_result(
    stack: FocusStack, **options: object
) -> tuple[list[Progress], FusionResult]:
    """Run to the end; return all that was reported, and the result."""
    run = iter_fuse(stack, engine="laplacian-energy", **options)
    seen = []
    while True:
        try:
            seen.append(next(run))
        except StopIteration as finished:
            return seen, finished.value


@pytest.mark.parametrize("case", [*CASES, "colours"])
def test_windows_put_together_are_the_result(case):
    if case == "colours":
        stack, options = colours(), {}
    else:
        array, axes, options = CASES[case]
        stack = stack_of(array, axes)
    seen, result = progress_and_result(stack, **SMALL_BLOCKS, **options)
    (start,) = (progress for progress in seen if progress.images is not None)
    assert start.images == result.images
    assert start.geometry == result.geometry
    live = LiveImages(start.images.values())
    windows = [progress.window for progress in seen if progress.window is not None]
    for window in windows:
        assert window.blocks.keys() == result.images.keys()
        for name, block in window.blocks.items():
            live.put(name, window.time, window.place, block)
    with result:
        expected = {name: result.image(name).compute() for name in result.images}
    assert_same_images({name: live.levels(name)[0] for name in expected}, expected)
    n_times = result.images["fused"].n_times
    assert len(windows) == len({(w.time, str(w.place)) for w in windows}) >= 2 * n_times


def test_images_are_told_before_the_first_window_and_once():
    seen, result = progress_and_result(stack_of(textured((3, 150, 170))), **SMALL_BLOCKS)
    result.close()
    told = [progress.images is not None for progress in seen]
    assert sum(told) == 1
    assert seen[told.index(True)] == Progress("fuse", 0, seen[-1].total)
    assert [progress.geometry is not None for progress in seen] == told


class Grumbling(NeighbourEngine):
    """Has something to say while it scores its second window."""

    def __init__(self, options):
        super().__init__(options)
        self.notes = []
        self._windows = 0

    def iter_scores(self, *args, **options):
        self._windows += 1
        for number, item in enumerate(super().iter_scores(*args, **options)):
            if self._windows == 2 and number in (1, 4):
                self.notes.append(f"memory is short at {number}")
            yield item


def test_what_an_engine_has_to_say_comes_with_its_step_and_is_recorded():
    seen: list[Progress] = []
    with registered("grumbling", f"{__name__}:Grumbling"):
        run = iter_fuse(stack_of(textured((3, 150, 120))), engine="grumbling", **SMALL_BLOCKS)
        try:
            while True:
                seen.append(next(run))
        except StopIteration as finished:
            result = finished.value
    told = [progress.notes for progress in seen if progress.notes]
    assert told == [("memory is short at 1",), ("memory is short at 4",)]
    n_windows_before = [
        sum(one.window is not None for one in seen[:number])
        for number, progress in enumerate(seen)
        if progress.notes
    ]
    assert n_windows_before == [1, 1]
    with result:
        assert result.provenance["warnings"] == ["memory is short at 1", "memory is short at 4"]


def test_more_steps_than_were_counted_do_not_overrun_the_total():
    """As when a tile is done again with less memory."""

    class Slow(NeighbourEngine):
        def iter_scores(self, *args, **options):
            yield from (None for _ in range(100))
            yield from super().iter_scores(*args, **options)

    globals()["Slow"] = Slow
    with registered("slow", f"{__name__}:Slow"):
        run = iter_fuse(stack_of(textured((3, 60, 60))), engine="slow")
        done = [(progress.done, progress.total) for progress in run if progress.stage == "fuse"]
    assert done == sorted(done)
    assert max(done) == (done[0][1], done[0][1])


def test_a_run_can_be_stopped_between_the_planes_that_are_measured():
    read = []

    def block(block_info=None):
        c, z = (block_info[None]["array-location"][axis][0] for axis in (0, 1))
        read.append((c, z))
        return np.zeros((1, 1, 60, 60), np.uint8)

    lazy = da.map_blocks(
        block, chunks=((1,) * 2, (1,) * 5, 60, 60), dtype="u1", meta=np.empty((0,) * 4, "u1")
    )
    run = iter_fuse(FocusStack(lazy[None], "stack"), engine="laplacian-energy")
    steps = [next(run) for _ in range(8)]
    assert steps == [Progress("measure", done, 10) for done in range(8)]
    assert read == [(0, z) for z in range(5)] + [(1, 0), (1, 1)]
    run.close()
    assert len(read) == 7


def test_a_window_belongs_to_its_receiver_for_good():
    """Blocks are handed to another thread while the run goes on."""
    seen, result = progress_and_result(stack_of(textured((3, 260, 170))), **SMALL_BLOCKS)
    blocks = [progress.window.blocks["fused"] for progress in seen if progress.window is not None]
    assert len(blocks) > 2
    assert not any(np.shares_memory(one, other) for one, other in pairwise(blocks))
    result.close()
