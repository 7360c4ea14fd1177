"""Filling and files, as they are asked for in a thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff import FusionResult, fuse
from napari_gmff._napari.correcting.correction_work import (
    Pixels,
    labels_from_file,
    labels_that_fill,
    save_labels,
)
from napari_gmff.corrections import load_corrections
from tests.stacks import stack_of, textured

MARK = 5


@pytest.fixture(scope="module")
def result() -> Any:
    stack = stack_of(textured((4, 60, 80)), voxel_size_um=(2.0, 0.5, 0.5))
    with fuse(stack, engine="laplacian-energy") as made:
        yield made


def test_a_mark_is_filled_from_the_map_and_from_what_is_painted(result: FusionResult) -> None:
    index = np.zeros((60, 80), np.uint8)
    labels = np.zeros((60, 80), np.uint8)
    labels[10:50, 10:70] = 4
    labels[20:40, 20:60] = MARK
    filled = labels_that_fill(result, index, labels, MARK, 0)
    assert isinstance(filled, Pixels)
    assert filled.expected == MARK
    assert len(filled.labels) == 800
    assert filled.labels.dtype == labels.dtype
    assert (filled.labels == 4).all()
    labels[10:50, 10:70][labels[10:50, 10:70] == 4] = 0
    from_map = labels_that_fill(result, index, labels, MARK, 0)
    assert (from_map.labels == 1).all()


def test_only_the_time_point_in_view_is_filled(result: FusionResult) -> None:
    index = np.full((2, 60, 80), 3, np.uint8)
    labels = np.zeros((2, 60, 80), np.uint8)
    labels[:, 20:30, 20:30] = MARK
    filled = labels_that_fill(result, index, labels, MARK, 1)
    times, rows, _ = filled.indices
    assert set(times) == {1}
    assert (rows.min(), rows.max()) == (20, 29)
    assert (filled.labels == 4).all()


def test_without_a_mark_there_are_words(result: FusionResult) -> None:
    labels = np.ones((60, 80), np.uint8)
    words = labels_that_fill(result, np.zeros((60, 80), np.uint8), labels, MARK, 0)
    assert "Mark an area" in words


def test_a_file_holds_slices_but_no_marks(result: FusionResult, tmp_path: Path) -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[5, 5:8] = (1, MARK, 4)
    words = save_labels(result, labels, tmp_path / "a.npz", False)
    assert words == "2 corrected pixels saved to a.npz."
    assert load_corrections(tmp_path / "a.npz").by_slice == {0: 1, 3: 1}
    found = labels_from_file(result, np.zeros_like(labels), tmp_path / "a.npz")
    assert [one.tolist() for one in found.indices] == [[5, 5], [5, 7]]
    assert found.labels.tolist() == [1, 4]
    assert "changes nothing" in labels_from_file(result, labels, tmp_path / "a.npz")
