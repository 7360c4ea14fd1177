from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_gmff.network import fine_tiles, strips
from napari_gmff.network.coarse_maps import MapsInFile, coarse_maps
from napari_gmff.network.evaluator import QUARTER_CHANNELS, StackMFFV4Evaluator
from napari_gmff.network.fine_tiles import fine_tile_px, n_tile_steps
from napari_gmff.windows import Box
from tests.network.helpers import CPU, assert_agree, evaluated_logits, plain_logits, random_stack

SHAPE = (3, 256, 384)


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    return random_stack(*SHAPE)


@pytest.fixture(scope="module")
def expected(model, stack) -> np.ndarray:
    return plain_logits(model, stack)


@pytest.mark.parametrize("tile_px", [None, 64, 100, 128, 384])
def test_any_fine_tile_size_gives_the_plain_result(model, stack, expected, tile_px):
    assert_agree(evaluated_logits(model, stack, tile_px=tile_px), expected)


def test_short_strips_give_the_plain_result(model, stack, expected, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_FLOATS", 1)
    assert_agree(evaluated_logits(model, stack, tile_px=128), expected)


def test_exchange_in_small_chunks_gives_the_plain_result(model, stack, expected, monkeypatch):
    monkeypatch.setattr(fine_tiles, "_EXCHANGE_SCORES", 40_001)
    assert_agree(evaluated_logits(model, stack), expected)


def test_a_long_exchange_can_be_stopped_between_its_chunks(model, stack, monkeypatch):
    monkeypatch.setattr(fine_tiles, "_EXCHANGE_SCORES", 40_001)
    with coarse_maps((3, 64, 96, QUARTER_CHANNELS), 64) as maps:
        items = list(
            StackMFFV4Evaluator(model, CPU).iter_scores(stack.__getitem__, 3, SHAPE[1:], maps)
        )
    # One tile of 64 x 96 cells, of which 1111 exchange at once (4 heads, 3 x 3 slices).
    assert len(items) == 3 + 3 * 3 + 2 * 6
    assert n_tile_steps(3, Box(0, 256, 0, 384), SHAPE[1:]) == 3 * 3 + 2 * 6


def test_many_slices_give_the_plain_result(model):
    stack = random_stack(20, 128, 128)
    assert_agree(evaluated_logits(model, stack, tile_px=64), plain_logits(model, stack))


def test_single_slice_is_scored(model):
    stack = random_stack(1, 128, 128)
    found, plain = evaluated_logits(model, stack), plain_logits(model, stack)
    assert np.abs(found - plain).max() < 1e-4 * np.ptp(plain)


def test_coarse_maps_on_disk_change_no_bit(model):
    stack = random_stack(8, 128, 256)
    in_memory = evaluated_logits(model, stack)
    with coarse_maps((8, 32, 64, QUARTER_CHANNELS), 0) as on_disk:
        assert isinstance(on_disk, MapsInFile)
        np.testing.assert_array_equal(evaluated_logits(model, stack, coarse=on_disk), in_memory)


def test_repeating_changes_no_bit(model, stack):
    np.testing.assert_array_equal(evaluated_logits(model, stack), evaluated_logits(model, stack))


def test_number_of_threads_changes_only_rounding(model, stack):
    one = evaluated_logits(model, stack)
    torch.set_num_threads(3)
    assert_agree(evaluated_logits(model, stack), one)


def test_permuting_slices_permutes_the_logits(model, stack):
    order = [2, 0, 1]
    permuted = evaluated_logits(model, np.ascontiguousarray(stack[order]))
    assert_agree(permuted, evaluated_logits(model, stack)[order])


def test_only_tiles_that_meet_the_part_asked_for_are_scored_and_alike(model, stack):
    part = Box(100, 130, 10, 20)
    whole = evaluated_logits(model, stack, tile_px=128)
    some = evaluated_logits(model, stack, tile_px=128, within=part)
    scored = np.isfinite(some).all(0)
    assert scored[part.slices].all()
    np.testing.assert_array_equal(np.argwhere(scored).max(0), (255, 127))
    np.testing.assert_array_equal(some[:, scored], whole[:, scored])


def test_every_slice_is_read_once_and_in_order(model, stack):
    read = []

    def read_slice(k: int) -> np.ndarray:
        read.append(k)
        return stack[k]

    with coarse_maps((3, 64, 96, QUARTER_CHANNELS), 64) as maps:
        items = StackMFFV4Evaluator(model, CPU).iter_scores(
            read_slice, 3, SHAPE[1:], maps, tile_px=128
        )
        assert sum(item is not None for item in items) == 3 * 6
    assert read == [0, 1, 2]


def test_scores_belong_to_the_receiver(model, stack):
    with coarse_maps((3, 64, 96, QUARTER_CHANNELS), 64) as maps:
        evaluator = StackMFFV4Evaluator(model, CPU)
        kept, copies = [], []
        for item in evaluator.iter_scores(lambda k: stack[k], 3, SHAPE[1:], maps, tile_px=128):
            if item is not None:
                kept.append(item.scores)
                copies.append(item.scores.copy())
    for scores, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(scores, copy)


def test_nothing_of_the_process_is_changed_between_steps(model, stack):
    with coarse_maps((3, 64, 96, QUARTER_CHANNELS), 64) as maps:
        evaluator = StackMFFV4Evaluator(model, CPU)
        for _ in evaluator.iter_scores(lambda k: stack[k], 3, SHAPE[1:], maps, tile_px=256):
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize("n_slices", [1, 16, 40, 100, 371, 372, 1000])
def test_fine_tiles_get_smaller_as_stacks_grow_so_that_memory_does_not(n_slices):
    tile_px = fine_tile_px(n_slices)
    assert tile_px % 4 == 0
    features = n_slices * 8 * 4 * (tile_px + 40) ** 2
    assert features <= 320 << 20 or tile_px == 64
