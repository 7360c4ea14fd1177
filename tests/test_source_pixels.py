"""The pixels that a result was chosen from, at places of the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_gmff import fuse
from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.source_pixels import SourcePixels
from napari_gmff.windows import Box
from tests.stacks import stack_of, textured


def test_the_intensities_of_the_chosen_slice_are_the_fused_pixel() -> None:
    stack = stack_of(textured((3, 2, 5, 60, 70)), "TCZYX")
    with fuse(stack, region=((10, 50), (5, 65)), time=(1, 3), z_range=(1, 5)) as result:
        index, fused = result.focus_index.compute(), result.fused.compute()
        for t, y, x in ((0, 0, 0), (1, 39, 59), (1, 20, 3)):
            curve = result.intensity_curve(y, x, t)
            assert curve.shape == (2, 4)
            assert curve.dtype == stack.dtype
            np.testing.assert_array_equal(curve[:, index[t, y, x] - 1], fused[t, :, y, x])
            expected = stack.data[1 + t, :, 1:5, 10 + y, 5 + x].compute()
            np.testing.assert_array_equal(curve, expected)


def test_colour_samples_are_channels() -> None:
    stack = stack_of(np.moveaxis(textured((3, 4, 30, 40), "uint8"), 0, -1), "ZYXS")
    with fuse(stack) as result:
        curve = result.intensity_curve(7, 8)
        np.testing.assert_array_equal(curve, stack.data[0, 0, :, 7, 8].compute().T)
        assert result.curves is not None
        part = result.curves.pixels.part_of_slice(2, Box(3, 9, 4, 8))
        expected = np.moveaxis(stack.data[0, 0, 2, 3:9, 4:8].compute(), -1, 0)
        np.testing.assert_array_equal(part, expected)


def test_part_of_a_slice_is_that_of_the_source() -> None:
    stack = stack_of(textured((2, 5, 60, 70)), "TZYX")
    with fuse(stack, region=((10, 50), (5, 65)), time=1) as result:
        assert result.curves is not None
        part = result.curves.pixels.part_of_slice(3, Box(0, 40, 59, 60))
        np.testing.assert_array_equal(part, stack.data[1, :, 3, 10:50, 64:65].compute())


@pytest.mark.parametrize("box", [Box(-1, 2, 0, 2), Box(0, 31, 0, 2), Box(0, 2, 39, 41)])
def test_what_is_outside_the_result_is_refused(box: Box) -> None:
    with fuse(stack_of(textured((3, 30, 40)))) as result:
        assert result.curves is not None
        with pytest.raises(ParameterError, match=r"must be inside 30x40, got \(-?\d+, \d+, "):
            result.curves.pixels.part_of_slice(1, box)


def test_a_slice_that_was_not_fused_is_refused() -> None:
    with fuse(stack_of(textured((5, 30, 40))), z_range=(1, 4)) as result:
        assert result.curves is not None
        for number in (0, 4):
            with pytest.raises(ParameterError, match=f"must be from 1 to 3, got {number}"):
                result.curves.pixels.part_of_slice(number, Box(0, 2, 0, 2))


def test_a_source_that_cannot_be_read_is_an_error_of_ours() -> None:
    stack = stack_of(textured((3, 30, 40)))
    with fuse(stack) as result:
        assert result.curves is not None
        plan = result.curves.pixels.plan

        def fails(block: np.ndarray) -> np.ndarray:
            raise OSError("no such drive")

        broken = replace(stack, data=stack.data.map_blocks(fails, dtype=stack.dtype))
        pixels = SourcePixels(broken, plan)
        with pytest.raises(SourceError, match=r"row 1, column 2 of all slices: .*no such drive"):
            pixels.column(1, 2)
        with pytest.raises(SourceError, match=r"slice 1: .*no such drive"):
            pixels.part_of_slice(1, Box(0, 2, 0, 2))


def test_a_result_from_disk_has_no_intensities(tmp_path: Path) -> None:
    from napari_gmff import open_result

    with fuse(stack_of(textured()), output=tmp_path / "out"):
        pass
    with (
        open_result(tmp_path / "out") as saved,
        pytest.raises(ParameterError, match="intensity curve: out was opened from disk"),
    ):
        saved.intensity_curve(0, 0)
