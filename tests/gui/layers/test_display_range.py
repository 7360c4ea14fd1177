"""Contrast limits from a few tiles."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack
from napari_gmff._napari.layers import display_range as module
from napari_gmff._napari.layers.display_range import display_range


def stack(array: np.ndarray) -> FocusStack:
    """Return a (Z, Y, X) array as a stack."""
    return FocusStack(da.from_array(array[None, None], chunks=(1, 1, 1, 64, 64)), "array")


def test_twelve_bits_in_sixteen_are_seen():
    rng = np.random.default_rng(0)
    low, high = display_range(stack(rng.integers(90, 4096, (3, 200, 300)).astype(np.uint16)), 0)
    assert 90 <= low < 150
    assert 4000 < high <= 4095


def test_bright_corners_count_as_well_as_the_middle():
    planes = np.full((3, 600, 600), 10, np.uint16)
    planes[:, :200, :200] = 3000
    assert display_range(stack(planes), 0) == (10, 3000)


def test_8_bit_is_shown_whole_without_reading():
    def refuse(*_):
        raise AssertionError("was read")

    lazy = da.zeros((1, 1, 2, 64, 64), dtype=np.uint8).map_blocks(refuse, dtype=np.uint8)
    assert display_range(FocusStack(lazy, "array"), 0) == (0, 255)


def test_a_flat_image_still_has_a_range():
    assert display_range(stack(np.full((2, 64, 64), 7, np.int16)), 0) == (7, 8)


def test_no_data_is_left_out():
    planes = np.linspace(0, 5, 2 * 64 * 64, dtype=np.float32).reshape(2, 64, 64)
    planes[:, :20] = np.nan
    low, high = display_range(stack(planes), 0)
    assert 0 < low < high <= 5


@pytest.mark.parametrize(("dtype", "expected"), [("uint16", (0, 65535)), ("float32", (0, 1))])
def test_a_damaged_file_is_shown_in_the_range_of_its_type(dtype, expected):
    def fail(block):
        raise OSError("damaged")

    lazy = da.zeros((1, 1, 2, 64, 64), dtype=dtype).map_blocks(fail, dtype=dtype)
    assert display_range(FocusStack(lazy, "array"), 0) == expected


def test_a_slow_disk_is_asked_for_one_tile_only(monkeypatch):
    read = []

    def slow(block):
        if block.size:  # dask asks for an empty block to learn the type
            read.append(block)
        return block + np.uint16(len(read))

    monkeypatch.setattr(module, "BUDGET_S", 0.0)
    lazy = da.zeros((1, 1, 6, 640, 640), chunks=(1, 1, 1, 64, 64), dtype=np.uint16)
    display_range(FocusStack(lazy.map_blocks(slow, dtype=np.uint16), "array"), 0)
    assert len(read) <= 4
