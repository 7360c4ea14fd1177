"""A GPU whose memory does not suffice, simulated on the CPU: the work is done with less at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_gmff.network import evaluator as evaluator_module
from napari_gmff.network.coarse_maps import coarse_maps
from napari_gmff.network.evaluator import QUARTER_CHANNELS, StackMFFV4Evaluator
from napari_gmff.network.fine_tiles import FineTiles
from napari_gmff.network.memory_ladder import MemoryLadder, Rung, is_lack_of_memory, rungs_of
from napari_gmff.network.stackmff_v4 import StackMFFV4
from tests.network.helpers import CPU, assert_agree, evaluated_logits, random_stack

GPU = torch.device("cuda:1")
N_SLICES, SHAPE = 3, (256, 256)
TILE_PX = 128

Fails = Callable[[str, Rung, int], bool]
"""Tells whether a step (its name, the rung in use, its number from 0) runs out of memory."""


def rungs_on_the_cpu() -> list[Rung]:
    """Return the ladder of a GPU, computed on the CPU."""
    return [Rung(CPU, rung.holds_all_slices, rung.part_px, rung.words) for rung in rungs_of(GPU)]


class SmallGPU(StackMFFV4Evaluator):
    """Runs out of memory in the steps that it is told to fail in."""

    def __init__(self, model: StackMFFV4, fails: Fails) -> None:
        super().__init__(model, CPU, rungs_on_the_cpu())
        self._fails = fails
        self.counts: dict[str, int] = {}

    def work(self, step: str) -> None:
        number = self.counts.get(step, 0)
        self.counts[step] = number + 1
        if self._fails(step, self._ladder.rung, number):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def _coarse_map(self, plane):
        self.work("coarse")
        return super()._coarse_map(plane)


@pytest.fixture
def small_gpu(model: StackMFFV4, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fails], SmallGPU]:
    """Return what makes an evaluator whose steps fail as told."""

    def make(fails: Fails) -> SmallGPU:
        evaluator = SmallGPU(model, fails)

        class SmallTiles(FineTiles):
            def _room(self):
                if self._buffer is None:
                    evaluator.work("buffer")
                return super()._room()

            def _decode(self, coarse_map, grown, out):
                evaluator.work("decode")
                super()._decode(coarse_map, grown, out)

            def _exchange(self, exchange, tokens):
                first = exchange is self._net.exchange1
                evaluator.work("exchange 1" if first else "exchange 2")
                yield from super()._exchange(exchange, tokens)

            def _refine(self, features):
                # After half of the change, which must not be seen when the step is done again.
                features += 1
                evaluator.work("refine")
                features -= 1
                super()._refine(features)

            def _at_hand(self, kept):
                evaluator.work("at hand")
                return super()._at_hand(kept)

        monkeypatch.setattr(evaluator_module, "FineTiles", SmallTiles)
        return evaluator

    return make


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    return random_stack(N_SLICES, *SHAPE)


@pytest.fixture(scope="module")
def undisturbed(model, stack) -> np.ndarray:
    return evaluated_logits(model, stack, tile_px=TILE_PX)


def run(evaluator: StackMFFV4Evaluator, stack: np.ndarray) -> tuple[np.ndarray, list]:
    """Return all scores (N, H, W), checking that each is given once, and the items."""
    scores = np.full(stack.shape, np.nan, np.float32)
    given = []
    shape = (len(stack), SHAPE[0] // 4, SHAPE[1] // 4, QUARTER_CHANNELS)
    with coarse_maps(shape, 1024) as coarse:
        items = list(
            evaluator.iter_scores(stack.__getitem__, len(stack), SHAPE, coarse, tile_px=TILE_PX)
        )
    for item in items:
        if item is not None:
            given.append((item.tile, item.slice_index))
            place = (item.slice_index, *item.tile.slices)
            assert np.isnan(scores[place]).all()
            scores[place] = item.scores
    tiles = list(dict.fromkeys(tile for tile, _ in given))
    assert given == [(tile, k) for tile in tiles for k in range(len(stack))]
    return scores, items


def always(_step: str, _rung: Rung, _number: int) -> bool:
    return True


def until_words(step: str, words: str) -> Fails:
    """Fail in a step until the run goes on as these words say."""

    def fails(found: str, rung: Rung, _number: int) -> bool:
        return found == step and words not in rung.words

    return fails


STEPS = ("buffer", "decode", "exchange 1", "refine", "exchange 2")


@pytest.mark.parametrize(
    ("step", "number"),
    [("buffer", 0), *((step, number) for step in STEPS[1:] for number in (0, 1, 3))],
)
def test_a_step_that_fails_once_is_done_with_one_slice_at_a_time(
    small_gpu, stack, undisturbed, step, number
):
    evaluator = small_gpu(lambda found, _, n: (found, n) == (step, number))
    scores, _ = run(evaluator, stack)
    assert_agree(scores, undisturbed)
    words = "cpu ran out of memory; continued with one slice at a time in its memory"
    assert evaluator.notes == [words]


@pytest.mark.parametrize("step", STEPS)
def test_a_tile_that_does_not_fit_slice_by_slice_is_cut_into_parts(
    small_gpu, stack, undisturbed, step
):
    evaluator = small_gpu(until_words(step, "tiles of 64 px"))
    scores, _ = run(evaluator, stack)
    assert_agree(scores, undisturbed)
    assert evaluator.notes[-1] == "cpu ran out of memory; continued in tiles of 64 px"
    assert not any("256" in note or "128" in note for note in evaluator.notes)


@pytest.mark.parametrize("step", STEPS)
def test_what_does_not_fit_at_all_goes_to_the_cpu(small_gpu, stack, undisturbed, step):
    evaluator = small_gpu(until_words(step, "on the CPU"))
    scores, _ = run(evaluator, stack)
    assert_agree(scores, undisturbed)
    assert "continued on the CPU, which takes longer" in evaluator.notes[-1]


@pytest.mark.parametrize("slice_index", [0, 1, 2])
def test_a_tile_of_which_slices_were_given_is_finished_without_giving_them_again(
    small_gpu, stack, undisturbed, slice_index
):
    """The last step of a slice, after which its scores are given, fails in the second tile."""
    # Each slice of a tile is taken at hand three times.
    number = 3 * N_SLICES + 2 * N_SLICES + slice_index
    evaluator = small_gpu(lambda step, _, n: (step, n) == ("at hand", number))
    scores, items = run(evaluator, stack)
    assert_agree(scores, undisturbed)
    assert len(evaluator.notes) == 1
    # The work done again shows as steps, so that a run can be stopped while it is done.
    assert len(items) > N_SLICES * (1 + 3 * 4)


def test_a_slice_whose_coarse_map_does_not_fit_is_done_in_strips_then_on_the_cpu(
    small_gpu, stack, undisturbed
):
    reads = []

    def read(k: int) -> np.ndarray:
        reads.append(k)
        return stack[k]

    for words in ("one slice at a time", "on the CPU"):
        evaluator = small_gpu(until_words("coarse", words))
        scores, _ = run(evaluator, stack)
        assert_agree(scores, undisturbed)
        assert len(evaluator.notes) == 1
        assert words in evaluator.notes[0]
    evaluator = small_gpu(lambda step, _, n: step == "coarse" and n == 1)
    with coarse_maps((N_SLICES, 64, 64, QUARTER_CHANNELS), 1024) as coarse:
        for _ in evaluator.iter_scores(read, N_SLICES, SHAPE, coarse, tile_px=TILE_PX):
            pass
    assert reads == [0, 1, 2]


def test_windows_after_a_lack_of_memory_go_on_sparingly_and_say_no_more(small_gpu, stack):
    evaluator = small_gpu(until_words("decode", "tiles of 64 px"))
    run(evaluator, stack)
    notes = list(evaluator.notes)
    before = dict(evaluator.counts)
    run(evaluator, stack)
    assert evaluator.notes == notes
    assert evaluator.counts["decode"] - before["decode"] == 16 * N_SLICES


def test_lack_of_memory_on_the_cpu_is_raised(small_gpu, stack):
    with pytest.raises(torch.OutOfMemoryError):
        run(small_gpu(always), stack)


def test_a_run_on_the_cpu_alone_does_not_try_again(model, stack, monkeypatch):
    evaluator = StackMFFV4Evaluator(model, CPU)
    tries = []

    def no_room(*_: object) -> None:
        tries.append(1)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(FineTiles, "_refine", no_room)
    with pytest.raises(RuntimeError, match="can't allocate"):
        run(evaluator, stack)
    assert (tries, evaluator.notes) == ([1], [])


def test_other_errors_are_no_reason_to_go_on(small_gpu, stack, monkeypatch):
    evaluator = small_gpu(lambda *_: False)

    def broken(*_: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(FineTiles, "_refine", broken)
    with pytest.raises(RuntimeError, match="assert"):
        run(evaluator, stack)
    assert evaluator.notes == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("anything"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: no kernel image"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_lack_of_memory_is_told_from_other_errors(error, expected):
    assert is_lack_of_memory(error) is expected


def test_a_gpu_tries_fewer_slices_then_smaller_tiles_then_the_cpu():
    ladder = MemoryLadder(rungs_of(GPU))
    error = torch.OutOfMemoryError("CUDA out of memory")
    seen = []
    while ladder.can_step_down(error, 512):
        ladder.step_down(512)
        seen.append((ladder.rung.device.type, ladder.rung.holds_all_slices, ladder.rung.part_px))
    assert seen == [
        ("cuda", False, None),
        ("cuda", False, 256),
        ("cuda", False, 128),
        ("cuda", False, 64),
        ("cpu", True, None),
    ]


def test_what_is_said_is_said_once_it_has_worked():
    ladder = MemoryLadder(rungs_of(GPU))
    ladder.step_down(512)
    ladder.step_down(512)
    assert ladder.notes == []
    ladder.tell()
    ladder.tell()
    assert ladder.notes == ["cuda:1 ran out of memory; continued in tiles of 256 px"]


def test_a_cpu_has_nothing_to_fall_back_on():
    ladder = MemoryLadder(rungs_of(CPU))
    assert not ladder.can_step_down(RuntimeError("out of memory"), 512)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_with_little_memory_gives_the_result_of_the_cpu(model):
    stack = random_stack(24, 512, 512)
    expected = evaluated_logits(model, stack)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    try:
        torch.cuda.set_per_process_memory_fraction(200 * 2**20 / total)
        evaluator = StackMFFV4Evaluator(model, torch.device("cuda"))
        scores = np.full(stack.shape, np.nan, np.float32)
        with coarse_maps((24, 128, 128, QUARTER_CHANNELS), 1024) as coarse:
            for item in evaluator.iter_scores(stack.__getitem__, 24, (512, 512), coarse):
                if item is not None:
                    scores[(item.slice_index, *item.tile.slices)] = item.scores
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert_agree(scores, expected)
    assert evaluator.notes
