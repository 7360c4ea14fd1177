from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack, read_stack, window_reader
from napari_gmff.engine_input import ChannelScale, EngineInput
from napari_gmff.errors import SourceError
from napari_gmff.params import FuseParams
from napari_gmff.plan import make_plan
from napari_gmff.window_reader import WindowReader
from napari_gmff.windows import Box, Window
from tests.stacks import textured

WINDOW = Window(Box(10, 40, 5, 45), Box(12, 38, 7, 43))


def reader_of(stack: FocusStack, *channels: int, **options: object) -> WindowReader:
    """Return a reader that shows the engine the mean of some channels, unscaled."""
    scales = tuple(ChannelScale(c, 0.0, 1.0, 0.0, 1 / len(channels)) for c in channels)
    plan = make_plan(stack, FuseParams.model_validate(options))
    return WindowReader(stack, plan, 0, WINDOW, EngineInput(scales, 0.0, True, ()))


def counted(array: np.ndarray) -> tuple[FocusStack, list[tuple[int, ...]]]:
    """Return a (C, Z, Y, X) stack of one chunk per plane, and the planes that were read."""
    read: list[tuple[int, ...]] = []

    def block(block_info=None):
        (c, _), (z, _) = block_info[None]["array-location"][:2]
        read.append((c, z))
        return array[c : c + 1, z : z + 1]

    chunks = ((1,) * array.shape[0], (1,) * array.shape[1], *array.shape[2:])
    lazy = da.map_blocks(block, chunks=chunks, dtype=array.dtype, meta=np.empty((0,) * 4, "f4"))
    return read_stack(lazy, axes="CZYX"), read


def test_pixels_are_those_of_the_window_and_of_the_slice_by_its_position() -> None:
    array = textured((2, 6, 60, 50), "float32")
    stack, _ = counted(array)
    reader = reader_of(stack, 0, 1, z_range=(2, 6))
    part = Box(3, 9, 4, 30)
    assert reader.n_slices == 4
    np.testing.assert_array_equal(reader.raw(1, part), array[:, 3, 13:19, 9:35])
    seen = reader.engine_slice(1)
    expected = np.clip(array[:, 3, 10:40, 5:45], -1, 2).mean(0)
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)


def test_what_the_engine_saw_is_not_read_again() -> None:
    stack, read = counted(textured((2, 3, 60, 50), "float32"))
    reader = reader_of(stack, 0)
    for k in range(3):
        reader.engine_slice(k)
    before = len(read)
    reader.raw(1, Box(0, 5, 0, 5))
    assert (0, 1) not in read[before:]


def test_beyond_the_limit_planes_are_read_again_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    array = textured((1, 3, 60, 50), "float32")
    monkeypatch.setattr(window_reader, "CACHE_BYTES", 4 * 30 * 40)  # one plane
    stack, read = counted(array)
    reader = reader_of(stack, 0)
    for k in range(3):
        reader.engine_slice(k)
    before = len(read)
    for k in range(3):
        np.testing.assert_array_equal(reader.raw(k, Box(0, 30, 0, 40)), array[:, k, 10:40, 5:45])
    assert sorted({z for _, z in read[before:]}) == [1, 2]


def test_what_was_read_ahead_is_not_read_again_and_is_the_same() -> None:
    array = textured((2, 6, 60, 50), "float32")
    stack, read = counted(array)
    ahead, alone = reader_of(stack, 0, 1, z_range=(2, 6)), reader_of(stack, 0, 1, z_range=(2, 6))
    ahead.read_ahead()
    before = len(read)
    seen = [ahead.engine_slice(k) for k in range(4)]
    assert len(read) == before
    np.testing.assert_array_equal(seen, [alone.engine_slice(k) for k in range(4)])


def test_more_than_the_limit_is_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_reader, "CACHE_BYTES", 4 * 30 * 40)
    stack, read = counted(textured((1, 3, 60, 50), "float32"))
    reader = reader_of(stack, 0)
    before = len(read)
    reader.read_ahead()
    assert len(read) == before


def test_pixels_that_are_not_finite_in_any_channel_are_noted() -> None:
    array = textured((2, 3, 60, 50), "float32")
    array[1, 2, 20, 15] = np.nan
    array[0, 0, 0, 0] = np.inf  # outside the window
    stack, _ = counted(array)
    reader = reader_of(stack, 0)
    for k in range(3):
        assert np.isfinite(reader.engine_slice(k)).all()
    assert list(reader.invalid) == [2]
    assert np.argwhere(reader.invalid[2]).tolist() == [[10, 10]]


def test_a_plane_that_cannot_be_read_is_named() -> None:
    def block(block_info=None):
        raise RuntimeError("the disk is on fire")

    lazy = da.map_blocks(
        block, chunks=((1,) * 3, 60, 50), dtype="u1", meta=np.empty((0, 0, 0), "u1")
    )
    reader = reader_of(read_stack(lazy, axes="ZYX"), 0, z_range=(1, 3))
    reason = r"^array: slice 2 of channel 0: cannot be read \(the disk is on fire\)$"
    with pytest.raises(SourceError, match=reason):
        reader.engine_slice(1)
    with pytest.raises(SourceError, match="slices 1 to 2 of channel 0: cannot be read"):
        reader.read_ahead()
