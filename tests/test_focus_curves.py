"""A focus curve holds the scores that the index was chosen by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_gmff import FusionResult, fuse
from napari_gmff.errors import ParameterError, SourceError
from tests.stacks import (
    NEIGHBOURS,
    SMALL_BLOCKS,
    random_weights,
    registered,
    stack_of,
    textured,
)


@pytest.fixture(scope="module", autouse=True)
def _neighbour_engine() -> Iterator[None]:
    with registered(NEIGHBOURS, "tests.stacks:NeighbourEngine"):
        yield


def assert_agrees(result: FusionResult, n_pixels: int = 25) -> None:
    """Compare the highest score with the index at random pixels of every time point."""
    index = result.focus_index.compute()
    index = index if index.ndim == 3 else index[None]
    numbers = result.provenance["slices"]["numbers"]
    rng = np.random.default_rng(5)
    for _ in range(n_pixels):
        t, y, x = (int(rng.integers(length)) for length in index.shape)
        curve = result.focus_curve(y, x, t)
        assert curve.dtype == np.float32
        assert curve.shape == (len(numbers),)
        assert numbers[int(np.argmax(curve))] == index[t, y, x]


@pytest.mark.parametrize("engine", ["laplacian-energy", NEIGHBOURS])
def test_the_highest_score_is_that_of_the_chosen_slice(engine: str) -> None:
    with fuse(stack_of(textured((4, 300, 210))), engine=engine, **SMALL_BLOCKS) as result:
        assert_agrees(result)


def test_curves_of_a_part_are_those_of_the_whole() -> None:
    stack = stack_of(textured((2, 5, 200, 210)), "TZYX")
    with (
        fuse(stack, **SMALL_BLOCKS) as whole,
        fuse(stack, region=((90, 190), (15, 180)), time=1, **SMALL_BLOCKS) as part,
    ):
        assert_agrees(whole)
        assert_agrees(part)
        for y, x in ((0, 0), (50, 60), (99, 164)):
            np.testing.assert_array_equal(
                part.focus_curve(y, x), whole.focus_curve(y + 90, x + 15, 1)
            )


def test_curves_of_some_slices_have_their_length() -> None:
    stack = stack_of(textured((6, 60, 60)))
    with fuse(stack, z_range=(2, 5)) as some, fuse(stack) as all_:
        assert_agrees(some)
        assert some.focus_curve(3, 3).shape == (3,)
        assert all_.focus_curve(3, 3).shape == (6,)


def test_curves_of_the_network_agree(tmp_path: Path) -> None:
    options = {"weights": str(random_weights(tmp_path)), "device": "cpu", **SMALL_BLOCKS}
    with fuse(stack_of(textured((2, 100, 150))), **options) as result:
        assert_agrees(result, 8)


def test_a_pixel_that_is_not_finite_has_no_score() -> None:
    array = textured((3, 50, 50), "float32")
    array[1, 10, 10] = np.nan
    array[:, 20, 20] = np.inf
    with fuse(stack_of(array)) as result:
        curve = result.focus_curve(10, 10)
        assert curve[1] == -np.inf
        assert np.isfinite(curve[[0, 2]]).all()
        assert (result.focus_curve(20, 20) == -np.inf).all()
        assert_agrees(result)


def test_a_curve_is_the_callers_to_change() -> None:
    with fuse(stack_of(textured((3, 50, 50)))) as result:
        first = result.focus_curve(4, 4)
        first[:] = 0
        assert (result.focus_curve(4, 4) != 0).any()


@pytest.mark.parametrize("pixel", [(-1, 0, 0), (0, 40, 0), (30, 0, 0), (0, 0, 1), (0, 0, -1)])
def test_a_pixel_outside_is_refused(pixel: tuple[int, int, int]) -> None:
    with fuse(stack_of(textured((3, 30, 40)))) as result:
        with pytest.raises(ParameterError, match=r"must be (inside 30x40|below 1), got"):
            result.focus_curve(*pixel)


def test_a_curve_of_a_source_that_is_gone_is_an_error_of_ours(tmp_path: Path) -> None:
    import tifffile

    from napari_gmff import read_stack

    source = tmp_path / "a.tif"
    tifffile.imwrite(source, textured((3, 30, 40)), ome=True, metadata={"axes": "ZYX"})
    with read_stack(source) as stack:
        result = fuse(replace(stack))
    source.unlink()
    with result, pytest.raises(SourceError, match=r"a\.tif"):
        result.focus_curve(1, 1)


def test_a_result_from_disk_has_no_curves(tmp_path: Path) -> None:
    from napari_gmff import open_result

    with fuse(stack_of(textured()), output=tmp_path / "out") as result:
        assert_agrees(result, 3)
    with (
        open_result(tmp_path / "out") as saved,
        pytest.raises(ParameterError, match="was opened from disk"),
    ):
        saved.focus_curve(0, 0)
