"""Corrected pixels follow from the original, the stack and the labels, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_gmff import FocusStack, FusionResult, fuse
from napari_gmff.corrected_pixels import CorrectedPixels, place_of
from napari_gmff.errors import ParameterError
from tests.stacks import stack_of, textured

PLACE = (slice(0, 40), slice(0, 40))


@pytest.fixture(scope="module")
def stack() -> FocusStack:
    return stack_of(textured((4, 60, 50)), voxel_size_um=(2.0, 0.5, 0.5))


@pytest.fixture(scope="module")
def result(stack: FocusStack) -> Any:
    with fuse(stack, engine="laplacian-energy") as made:
        yield made


def test_only_the_part_of_the_slices_asked_for_is_read(
    stack: FocusStack, result: FusionResult
) -> None:
    read: list[tuple[int, ...]] = []

    def note(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        read.append(tuple(block_info[0]["chunk-location"]))
        return block

    chunked = stack.data.rechunk((1, 1, 1, 20, 20))
    watched = replace(stack, data=chunked.map_blocks(note, dtype=stack.dtype))
    watched.__dict__["fingerprint"] = stack.fingerprint
    pixels = CorrectedPixels(result, watched)
    read.clear()
    labels = np.zeros((40, 40), np.uint8)
    labels[22:30, 25:30] = 4
    pixels.blocks(0, PLACE, labels)
    assert read == [(0, 0, 3, 1, 1)]
    pixels.blocks(0, PLACE, np.zeros_like(labels))
    assert len(read) == 1, "what is unchanged comes from the result"


def test_nothing_remains_of_labels_that_are_gone(stack: FocusStack, result: FusionResult) -> None:
    pixels = CorrectedPixels(result, stack)
    nothing = np.zeros((40, 40), np.uint8)
    before = pixels.blocks(0, PLACE, nothing)
    changed = pixels.blocks(0, PLACE, np.full((40, 40), 2, np.uint8))
    after = pixels.blocks(0, PLACE, nothing)
    assert before.keys() == changed.keys() == after.keys()
    for name, block in before.items():
        np.testing.assert_array_equal(after[name], block, strict=True)
        assert (changed[name] != block).any()
    assert "confidence" not in before
    assert not before["corrected"].any()


def test_a_slice_that_is_chosen_although_it_was_so_already_counts(
    stack: FocusStack, result: FusionResult
) -> None:
    index = result.focus_index[PLACE].compute()
    blocks = CorrectedPixels(result, stack).blocks(0, PLACE, index + 1)
    assert blocks["corrected"].all()
    np.testing.assert_array_equal(blocks["focus_index"], index)
    np.testing.assert_array_equal(blocks["fused"], result.fused[PLACE].compute())
    np.testing.assert_array_equal(blocks["depth"], index * np.float32(2))


def test_another_stack_is_refused(result: FusionResult) -> None:
    with pytest.raises(ParameterError, match="must be the one that was fused, array"):
        CorrectedPixels(result, stack_of(textured((4, 60, 50), seed=1)))


def test_the_place_of_a_mask_is_the_smallest() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2, 7] = mask[5, 3] = True
    assert place_of(mask) == (slice(2, 6), slice(3, 8))
