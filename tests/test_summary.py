from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_gmff.reading.stack import FocusStack
from napari_gmff.summary import problems_of, step_in_words, summary_of


def lazy(shape: tuple[int, ...], dtype: str = "uint16", **facts: object) -> FocusStack:
    """Return a stack whose pixels cannot be read."""

    def refuse(*_: object, **__: object) -> np.ndarray:
        raise AssertionError("a summary must not read pixels")

    data = da.map_blocks(refuse, chunks=tuple((n,) for n in shape), dtype=dtype, meta=np.empty(0))
    return FocusStack(data.astype(dtype), "stack.tif", **facts)  # type: ignore[arg-type]


def test_a_stack_is_told_in_one_line_without_reading_a_pixel() -> None:
    stack = lazy((1, 2, 24, 3648, 5440), voxel_size_um=(0.5, 0.1, 0.1))
    assert summary_of(stack) == "24 slices · 0.5 µm step · 2 channels · 16 bit · 5440×3648"


def test_time_points_and_colour_are_named_where_there_are_any() -> None:
    stack = lazy((7, 1, 3, 20, 30, 3), "uint8")
    assert summary_of(stack) == "3 slices · step unknown · 7 time points · colour · 8 bit · 30×20"


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        (None, "step unknown"),
        ([4.0], ""),
        ([0.0, 0.25, 0.5], "0.25 µm step"),
        ([9.0, 6.0, 3.0], "3 µm step"),
        ([0.0, 0.3, 0.6000001], "0.3 µm step"),
        ([0.0, 0.5, 2.5], "uneven step, 0.5 to 2 µm"),
        ([0.0, 0.0, 0.0], "0 µm step"),
    ],
)
def test_the_step_is_told_in_words(positions: list[float] | None, words: str) -> None:
    assert step_in_words(None if positions is None else np.array(positions)) == words


@pytest.mark.parametrize(
    ("dtype", "words"),
    [("int16", "16 bit signed"), ("float32", "32 bit float"), ("float64", "float64")],
)
def test_the_pixel_type_is_told_in_words(dtype: str, words: str) -> None:
    assert f" · {words} · " in summary_of(lazy((1, 1, 2, 9, 9), dtype))


def test_nothing_stops_a_sound_stack_even_without_a_step() -> None:
    assert problems_of(lazy((1, 1, 2, 9, 9))) == []


def test_a_single_slice_is_a_problem_with_a_way_out_where_there_is_one() -> None:
    assert problems_of(lazy((1, 1, 1, 9, 9))) == [
        "The stack has only 1 slice, and fusing needs at least 2."
    ]
    (of_times,) = problems_of(lazy((12, 1, 1, 9, 9)))
    assert "12 time points are in fact slices" in of_times
    (of_channels,) = problems_of(lazy((1, 5, 1, 9, 9)))
    assert "5 channels are in fact slices" in of_channels


def test_an_unsupported_pixel_type_is_named_with_those_that_are_fused() -> None:
    (problem,) = problems_of(lazy((1, 1, 2, 9, 9), "float64"))
    assert "float64" in problem
    assert "uint8, uint16, int16, float32" in problem


def test_an_empty_axis_is_a_problem() -> None:
    stack = FocusStack(da.zeros((1, 1, 3, 0, 9), dtype="uint8"), "empty")
    assert any("length 0" in problem for problem in problems_of(stack))
