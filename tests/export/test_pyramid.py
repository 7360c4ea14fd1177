from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmff.export.layout import ImageSpec, Kind
from napari_gmff.export.pyramid import (
    build_pyramid,
    halved_by_choice,
    halved_by_mean,
    level_shapes,
)
from napari_gmff.export.working import create_working_store
from tests.export.conftest import fill, pixels


def slow_mean(block: np.ndarray) -> np.ndarray:
    """Average 2 × 2 pixels one by one, as a person would."""
    height, width = ((side + 1) // 2 for side in block.shape)
    out = np.empty((height, width), block.dtype)
    for y in range(height):
        for x in range(width):
            quad = block[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float)
            known = quad[~np.isnan(quad)]
            mean = known.mean() if known.size else np.nan
            out[y, x] = np.rint(mean) if block.dtype.kind in "iu" else mean
    return out


@settings(deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), dtype=st.sampled_from(["u1", "u2", "i2"]))
def test_whole_numbers_are_averaged_and_rounded_in_their_own_range(
    height: int, width: int, dtype: str
) -> None:
    limits = np.iinfo(dtype)
    block = np.random.default_rng(height * 10 + width).integers(
        limits.min, limits.max, (height, width), dtype=dtype, endpoint=True
    )
    block[0, 0] = limits.max
    result = halved_by_mean(block)
    assert result.dtype == block.dtype
    np.testing.assert_array_equal(result, slow_mean(block))


def test_the_mean_of_the_highest_values_does_not_wrap_round() -> None:
    assert halved_by_mean(np.full((2, 2), 65535, np.uint16)) == 65535
    assert halved_by_mean(np.full((2, 2), -32768, np.int16)) == -32768


def test_unknown_depth_is_left_out_of_means_and_stays_unknown_where_all_is() -> None:
    nan = np.nan
    block = np.array([[1, nan, nan, nan], [3, nan, nan, nan]], np.float32)
    result = halved_by_mean(block)
    assert result[0, 0] == 2
    assert np.isnan(result[0, 1])


def test_slice_numbers_are_chosen_never_averaged() -> None:
    block = np.array([[0, 9, 4], [9, 9, 9], [7, 9, 2]], np.uint8)
    np.testing.assert_array_equal(halved_by_choice(block), [[0, 4], [7, 2]])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((256, 10), [(256, 10)]),
        ((257, 10), [(257, 10), (129, 5)]),
        ((1000, 3), [(1000, 3), (500, 2), (250, 1)]),
    ],
)
def test_levels_halve_until_both_sides_are_small(
    shape: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    assert level_shapes(shape) == expected


@pytest.mark.parametrize("kind", ["intensity", "index"])
def test_levels_made_chunk_by_chunk_equal_levels_of_the_whole_image(
    tmp_path: Path, kind: Kind
) -> None:
    spec = ImageSpec("image", "tyx", (2, 1301, 603), np.dtype("uint8"), kind)
    values = pixels(spec)
    group = create_working_store(tmp_path / "store", [spec])
    fill(group, spec, values)
    assert build_pyramid(group, spec) == 4
    reduce = halved_by_mean if kind == "intensity" else halved_by_choice
    for level in (1, 2, 3):
        values = np.stack([reduce(frame) for frame in values])
        np.testing.assert_array_equal(group[f"image/{level}"][:], values)


def test_a_larger_image_needs_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for height in (2048, 6144):
        spec = ImageSpec("image", "yx", (height, 2048), np.dtype("uint8"), "intensity")
        group = create_working_store(tmp_path / str(height), [spec])
        fill(group, spec, np.ones(spec.shape, np.uint8), side_px=1024)
        tracemalloc.start()
        build_pyramid(group, spec)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
