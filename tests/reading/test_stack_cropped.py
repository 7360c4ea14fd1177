"""Part of a stack: the same pixels at the same place in µm."""

from __future__ import annotations

import gc
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_gmff import FocusStack, read_stack
from napari_gmff.errors import ParameterError
from napari_gmff.reading.stack import Channel
from napari_gmff.windows import Box

BOX = Box(3, 20, 10, 41)


def stack_of(shape: tuple[int, ...], **options: object) -> FocusStack:
    array = np.random.default_rng(0).integers(0, 60_000, shape, dtype=np.uint16)
    return FocusStack(da.from_array(array, chunks=7), "stack", **options)


@pytest.mark.parametrize("shape", [(1, 1, 3, 40, 50), (2, 3, 4, 40, 50), (1, 1, 2, 40, 50, 3)])
def test_a_part_holds_the_pixels_of_the_whole(shape):
    stack = stack_of(shape)
    part = stack.cropped(BOX)
    assert part.shape_yx == (17, 31)
    assert (part.n_times, part.n_channels, part.n_slices) == shape[:3]
    assert part.axes == stack.axes
    expected = stack.data.compute()[:, :, :, 3:20, 10:41]
    np.testing.assert_array_equal(part.data.compute(), expected, strict=True)


def test_a_part_lies_where_it_was_in_um():
    stack = stack_of(
        (1, 2, 3, 40, 50),
        voxel_size_um=(2.0, 0.5, 0.25),
        z_positions_um=np.array([5.0, 4.0, 1.0]),
        origin_yx_um=(100.0, -7.0),
        channels=(Channel("DAPI", "0000FF"), Channel("GFP")),
        notes=("assumed",),
    )
    part = stack.cropped(BOX)
    assert part.origin_yx_um == (101.5, -4.5)
    assert part.voxel_size_um == stack.voxel_size_um
    np.testing.assert_array_equal(part.z_positions_um, stack.z_positions_um)
    assert (part.name, part.channels, part.notes) == (stack.name, stack.channels, stack.notes)
    again = part.cropped(Box(2, 4, 4, 8))
    assert again.origin_yx_um == (102.5, -3.5)


def test_a_part_of_a_stack_without_pixel_size_stays_at_its_origin():
    assert stack_of((1, 1, 3, 40, 50)).cropped(BOX).origin_yx_um == (0.0, 0.0)


def test_a_part_has_no_pyramid_and_another_fingerprint():
    data = stack_of((1, 1, 3, 40, 50)).data
    stack = FocusStack(data, "stack", levels=(data, data[..., ::2, ::2]))
    part = stack.cropped(BOX)
    assert [level.shape for level in part.levels] == [(1, 1, 3, 17, 31)]
    assert part.fingerprint != stack.fingerprint
    assert part.metadata["part_px"] == [3, 20, 10, 41]
    assert stack.cropped(Box(0, 40, 0, 50)).fingerprint != stack.fingerprint


def test_only_the_chunks_of_the_part_are_read():
    read = []

    def block(block_info=None):
        place = block_info[None]["array-location"]
        read.append(tuple(start for start, _ in place[3:]))
        return np.zeros([stop - start for start, stop in place], np.uint8)

    lazy = da.map_blocks(
        block,
        chunks=((1,), (1,), (1, 1), (16,) * 4, (16,) * 4),
        dtype=np.uint8,
        meta=np.empty((0,) * 5, np.uint8),
    )
    FocusStack(lazy, "stack").cropped(Box(17, 30, 40, 50)).data.compute()
    assert sorted(read) == [(16, 32), (16, 32), (16, 48), (16, 48)]


def test_closing_a_part_leaves_the_files_open(tmp_path: Path):
    array = np.random.default_rng(0).integers(0, 255, (3, 40, 50), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": "ZYX"})
    with read_stack(tmp_path / "a.tif") as stack:
        stack.cropped(BOX).close()
        gc.collect()
        np.testing.assert_array_equal(stack.data[0, 0].compute(), array)


@pytest.mark.parametrize(
    "box", [(0, 41, 0, 50), (0, 40, 0, 51), (-1, 5, 0, 5), (5, 5, 0, 5), (0, 5, 9, 8)]
)
def test_a_part_that_is_not_within_the_image_is_refused(box):
    with pytest.raises(ParameterError, match=r"part of stack: must be within 40x50 px"):
        stack_of((1, 1, 3, 40, 50)).cropped(Box(*box))
