"""Estimates count the work of a run; trials of this machine are timed here by a clock that lies."""

from __future__ import annotations

from collections.abc import Callable

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack, FuseParams, estimate
from napari_gmff.errors import ParameterError, SourceError, WeightsError
from napari_gmff.estimate import estimate_seconds, preview_seconds, words_for_seconds
from napari_gmff.params import validated
from napari_gmff.plan import make_plan
from napari_gmff.windows import Box
from tests.stacks import random_weights

CLASSICAL = "laplacian-energy"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return how long each kind of trial seems to take: by default only the engine does."""
    return {"score": 0.25, "select": 1e-9, "compute": 1e-9}


@pytest.fixture(autouse=True)
def trials(clock: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forget what was tried before, and let the clock decide; return the names of what is tried."""
    for name, empty in (("_paces", {}), ("_selection_factors", []), ("_read_times", {})):
        monkeypatch.setattr(estimate, name, empty)
    monkeypatch.setattr(estimate, "_TRIAL_S", 0)
    done: list[str] = []

    def timed(work: Callable[[], object]) -> float:
        work()
        done.append(work.__name__)
        return clock[work.__name__]

    monkeypatch.setattr(estimate, "_timed", timed)
    return done


def params_of(**options: object) -> FuseParams:
    return validated(FuseParams, {"engine": CLASSICAL, **options})


def stack_of(*shape: int, chunks: int = 512) -> FocusStack:
    data = da.zeros(shape, dtype="uint16", chunks=(1, 1, 1, chunks, chunks))
    return FocusStack(data, "stack")


def seconds_beyond_start(stack: FocusStack, **options: object) -> float:
    params = params_of(**options)
    start_s = estimate._START_S + estimate._pace_of(params).start_s
    return estimate_seconds(stack, params) - start_s


def test_an_engine_takes_as_long_as_it_took_when_it_was_tried():
    side = estimate._TRIED_PX_CPU
    found = seconds_beyond_start(stack_of(1, 1, estimate._TRIED_SLICES, side, side))
    assert found == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "options", "factor"),
    [
        ((3, 1, 6, 512, 512), {}, 3),
        ((3, 1, 6, 512, 512), {"time": "1:2"}, 1),
        ((1, 1, 12, 512, 512), {}, 2),
        ((1, 1, 40, 512, 512), {"z_range": "10:19"}, 1.5),
        ((1, 5, 6, 512, 512), {}, 1),
        ((1, 1, 6, 512, 512), {"block_px": 256, "halo_px": 64}, 9 / 4),
        ((1, 1, 6, 512, 512), {"block_px": 256, "halo_px": 64, "region": "0:9,0:9"}, 1 / 4),
    ],
)
def test_scoring_takes_longer_with_slices_time_points_and_windows(shape, options, factor):
    one = seconds_beyond_start(stack_of(1, 1, 6, 512, 512))
    found = seconds_beyond_start(stack_of(*shape), **options)
    assert found == pytest.approx(factor * one, rel=1e-3)


def test_channels_that_do_not_decide_cost_less_than_those_that_do(clock):
    clock |= {"score": 1e-9, "select": 0.25}
    one = seconds_beyond_start(stack_of(1, 1, 6, 300, 300))
    copied = seconds_beyond_start(stack_of(1, 3, 6, 300, 300), channel=0)
    seen = seconds_beyond_start(stack_of(1, 3, 6, 300, 300))
    assert one < copied < seen < 3 * one


@pytest.mark.parametrize(("chunk_px", "expected"), [(3000, 4 + 4), (128, 4 * 8 * 8 + 4)])
def test_the_chunks_that_samples_lie_in_are_read_and_then_the_window(clock, chunk_px, expected):
    """Two of the six rows of samples lie across two of the smaller chunks; columns likewise."""
    clock |= {"score": 1e-9, "compute": 1.0}
    stack = stack_of(1, 1, 4, 3000, 3000, chunks=chunk_px)
    found = seconds_beyond_start(stack, region="0:128,0:128", block_px=128, halo_px=0)
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("n_channels", "channel", "planes_in_cache", "expected"),
    [
        (1, "combined", 4, 4),
        (1, "combined", 0, 8),
        (1, "combined", 3, 5),
        (3, "combined", 100, 12),
        (3, 1, 100, 12),
        (3, 1, 0, 16),
    ],
)
def test_planes_that_are_not_kept_are_read_again(
    n_channels, channel, planes_in_cache, expected, monkeypatch
):
    monkeypatch.setattr(estimate, "CACHE_BYTES", planes_in_cache * 2 * 90 * 80)
    stack = stack_of(1, n_channels, 4, 90, 80)
    plan = make_plan(stack, params_of(channel=channel))
    assert estimate._planes_read(stack, plan) == expected


def test_each_engine_is_tried_once_for_each_device_and_number_of_threads(trials):
    stack = stack_of(1, 1, 3, 200, 200)
    for options in ({}, {}, {"threads": 2}, {"threads": 2, "z_range": "0:2"}, {"device": "cpu"}):
        estimate_seconds(stack, params_of(**options))
    # Each trial is run once to warm up.
    assert trials.count("score") == 3 * 2
    assert trials.count("select") == 2


def test_reading_is_tried_on_one_window_of_two_planes_and_remembered():
    read = []

    def block(block_info=None):
        place = block_info[None]["array-location"]
        read.append(tuple(start for start, _ in place))
        return np.zeros([stop - start for start, stop in place], np.uint8)

    lazy = da.map_blocks(
        block, chunks=((1,) * 9, (64,) * 20, (64,) * 20), dtype="u1", meta=np.empty((0,) * 3, "u1")
    )
    options = {"block_px": 128, "halo_px": 32}
    for _ in range(3):
        estimate_seconds(FocusStack(lazy[None, None], "stack"), params_of(**options))
    planes = [place[0] for place in read]
    n_chunks = planes.count(3)
    assert 1 <= n_chunks <= 9
    assert planes == [3] * n_chunks + [6] * 2 * n_chunks
    assert len(set(read)) == 2 * n_chunks


def test_only_so_many_stacks_are_remembered(monkeypatch):
    monkeypatch.setattr(estimate, "_MOST_READINGS", 3)
    for side in range(100, 110):
        estimate_seconds(stack_of(1, 1, 3, side, side), params_of())
    assert len(estimate._read_times) == 3


def test_a_preview_takes_as_long_as_its_part():
    stack = stack_of(1, 1, 6, 2048, 2048)
    box = Box(100, 612, 200, 712)
    preview = preview_seconds(stack, params_of(), box)
    alone = estimate_seconds(stack.cropped(box), params_of())
    assert preview == pytest.approx(alone, rel=0.02)
    assert preview < estimate_seconds(stack, params_of()) / 3


def test_the_network_is_tried_and_counted_too(tmp_path, trials, monkeypatch):
    monkeypatch.setattr(estimate, "_TRIED_PX_CPU", 128)
    weights = str(random_weights(tmp_path))
    params = validated(FuseParams, {"weights": weights, "device": "cpu", "threads": 1})
    one = estimate_seconds(stack_of(1, 1, 4, 512, 512), params)
    four = estimate_seconds(stack_of(1, 1, 4, 1024, 1024), params)
    assert trials.count("score") == 2
    start_s = estimate._START_S + estimate._pace_of(params).start_s
    assert 4 < (four - start_s) / (one - start_s) < 4.5


@pytest.mark.parametrize(
    ("slices", "shape"), [(8, (512, 512)), (64, (512, 512)), (5, (100, 700)), (1, (200, 200))]
)
def test_the_work_of_the_network_grows_faster_than_the_slices(slices, shape):
    from napari_gmff.engines.stackmff import StackMFFV4Engine

    work = StackMFFV4Engine.work_ns
    assert work(2 * slices, shape) > 2 * work(slices, shape)
    wide = (shape[0], 2 * shape[1] + 128)
    assert work(slices, wide) >= 2 * work(slices, shape)


def test_what_cannot_be_run_cannot_be_estimated(tmp_path):
    stack = stack_of(1, 1, 3, 60, 60)
    with pytest.raises(ParameterError, match="z_range"):
        estimate_seconds(stack, params_of(z_range="0:9"))
    with pytest.raises(ParameterError, match="engine"):
        estimate_seconds(stack, params_of(engine="magic"))
    with pytest.raises(WeightsError, match="nothing"):
        estimate_seconds(stack, validated(FuseParams, {"weights": str(tmp_path / "nothing.pth")}))


def test_a_source_that_cannot_be_read_is_named():
    def block(block_info=None):
        raise RuntimeError("lost")

    lazy = da.map_blocks(
        block, chunks=((1,) * 3, (60,), (60,)), dtype="u1", meta=np.empty((0,) * 3, "u1")
    )
    with pytest.raises(SourceError, match=r"stack: slice 1: cannot be read \(lost\)"):
        estimate_seconds(FocusStack(lazy[None, None], "stack"), params_of())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 s"),
        (0.99, "under 1 s"),
        (1.4, "about 1 s"),
        (14.2, "about 14 s"),
        (19.4, "about 19 s"),
        (23, "about 25 s"),
        (57, "about 55 s"),
        (58, "about 1 min"),
        (89, "about 1 min"),
        (170, "about 3 min"),
        (3300, "about 55 min"),
        (3599, "about 1 h"),
        (5300, "about 1.5 h"),
        (7300, "about 2 h"),
        (40_000, "about 11 h"),
    ],
)
def test_times_are_said_as_roughly_as_they_are_known(seconds, words):
    assert words_for_seconds(seconds) == words
