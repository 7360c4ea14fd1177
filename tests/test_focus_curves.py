"""A focus curve holds the scores that the index was chosen by."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff import FusionResult, curve_memory, fuse
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.errors import FusionCancelled, ParameterError, SourceError
from napari_gmff.params import CLASSICAL_ENGINES
from napari_gmff.scores import ReadSlice, TileScores
from napari_gmff.window_reader import WindowReader
from napari_gmff.windows import Box, tiles
from tests.stacks import (
    NEIGHBOURS,
    SMALL_BLOCKS,
    NeighbourEngine,
    random_weights,
    registered,
    stack_of,
    textured,
)

KEEPS = "test-keeps"
ERROR = np.float32(1e-6)


class KeepingEngine(NeighbourEngine):
    """Keeps windows, and scores parts of them with a rounding error."""

    name = KEEPS

    def keep_window(self, n_slices: int, shape_yx: tuple[int, int]) -> Any:
        return KeptEnergies(self, n_slices, shape_yx)


class KeptEnergies:
    """Scores of a whole window."""

    def __init__(self, engine: KeepingEngine, n_slices: int, shape_yx: tuple[int, int]) -> None:
        self._engine = engine
        self._scores = np.empty((n_slices, *shape_yx), np.float32)
        self.n_bytes = self._scores.nbytes
        self.is_open = True

    def prepare(self, read_slice: ReadSlice) -> Iterator[None]:
        n_slices, *shape = self._scores.shape
        for item in self._engine.iter_scores(read_slice, n_slices, tuple(shape)):
            if item is None:
                yield
            else:
                self._scores[(item.slice_index, *item.tile.slices)] = item.scores

    def scores(self, part: Box) -> np.ndarray:
        assert self.is_open
        error = ERROR * np.arange(len(self._scores), dtype=np.float32)
        return self._scores[(slice(None), *part.slices)] + error[:, None, None]

    def iter_scores(self, within: Box) -> Iterator[TileScores]:
        assert self.is_open
        for tile in tiles(self._scores.shape[1:], self._engine.tile_px):
            if tile.intersection(within):
                for k, plane in enumerate(self._scores):
                    yield TileScores(k, tile, plane[tile.slices])

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def n_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count the slices that an engine looks at, in the list's only entry."""
    count = [0]
    read = WindowReader.engine_slice

    def counting(self: WindowReader, position: int) -> np.ndarray:
        count[0] += 1
        return read(self, position)

    monkeypatch.setattr(WindowReader, "engine_slice", counting)
    yield count


@pytest.fixture(scope="module", autouse=True)
def _neighbour_engine() -> Iterator[None]:
    with (
        registered(NEIGHBOURS, "tests.stacks:NeighbourEngine"),
        registered(KEEPS, f"{__name__}:KeepingEngine"),
    ):
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


def assert_agrees_at(result: FusionResult, *pixels: tuple[int, int]) -> None:
    """Compare the highest score with the index at pixels, all slices being fused."""
    for y, x in pixels:
        assert int(np.argmax(result.focus_curve(y, x))) == result.focus_index.compute()[y, x]


@pytest.mark.parametrize("engine", [*CLASSICAL_ENGINES, NEIGHBOURS, KEEPS])
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
    with fuse(stack_of(textured((2, 2, 100, 150)), "TZYX"), **options) as result:
        assert_agrees(result, 12)


@pytest.mark.parametrize("sigma_px", [0.0, 2.4])
def test_an_engine_that_looks_near_is_shown_no_more_than_that(
    n_read: list[int], monkeypatch: pytest.MonkeyPatch, sigma_px: float
) -> None:
    stack = stack_of(textured((3, 330, 350)))
    pixels = [(0, 0), (31, 32), (150, 200), (329, 349), (200, 95), (95, 96)]
    options = {"engine": "laplacian-energy", "input_sigma_px": sigma_px, "block_px": 256}
    shapes = []
    plane = WindowReader.engine_slice
    with fuse(stack, **options) as result, fuse(stack, **options) as again:
        monkeypatch.setattr(LaplacianEnergy, "reach_px", None)
        whole = [again.focus_curve(y, x) for y, x in pixels]
        monkeypatch.undo()
        monkeypatch.setattr(
            WindowReader,
            "engine_slice",
            lambda self, k: shapes.append(plane(self, k).shape) or plane(self, k),
        )
        for (y, x), expected in zip(pixels, whole, strict=True):
            np.testing.assert_array_equal(result.focus_curve(y, x), expected)
    assert max(max(shape) for shape in shapes) <= 32 + 2 * (13 + 10)


def test_only_the_first_pixel_of_a_kept_window_reads(n_read: list[int]) -> None:
    with fuse(stack_of(textured((3, 250, 250))), engine=KEEPS, **SMALL_BLOCKS) as result:
        n_read[0] = 0
        for y, x in ((0, 0), (90, 90), (5, 60), (0, 95)):
            result.focus_curve(y, x)
        assert n_read == [3]
        result.focus_curve(0, 96)
        assert n_read == [6]


def test_a_result_of_a_kept_window_is_right_at_its_edges() -> None:
    stack = stack_of(textured((4, 250, 250)))
    with (
        fuse(stack, engine=KEEPS, **SMALL_BLOCKS) as kept,
        fuse(stack, engine=NEIGHBOURS, **SMALL_BLOCKS) as run,
    ):
        for y, x in ((95, 95), (96, 96), (249, 0), (127, 249)):
            np.testing.assert_allclose(
                kept.focus_curve(y, x), run.focus_curve(y, x), atol=4 * ERROR, rtol=0
            )


def test_rounding_never_decides_against_the_chosen_slice() -> None:
    same = np.repeat(textured((1, 60, 60)), 4, axis=0)
    with fuse(stack_of(same), engine=KEEPS) as result:
        assert (result.focus_index.compute() == 0).all()
        curve = result.focus_curve(30, 30)
        assert (curve == curve[0]).all(), "the rounding error of a part is in the curve"


def test_close_rivals_are_told_apart_without_reading_again(n_read: list[int]) -> None:
    same = np.repeat(textured((1, 60, 60)), 4, axis=0)
    with fuse(stack_of(same), engine=KEEPS) as result:
        n_read[0] = 0
        result.focus_curve(30, 30)
        assert n_read == [4]


def test_a_curve_can_be_stopped_and_taken_up_again(n_read: list[int]) -> None:
    with fuse(stack_of(textured((6, 60, 60))), engine=KEEPS) as result:
        n_read[0] = 0
        assert result.curves is not None
        with pytest.raises(FusionCancelled):
            result.curves.at(5, 5, should_stop=lambda: n_read[0] >= 4)
        assert n_read == [4]
        curve = result.curves.at(5, 5)
        assert n_read == [6]
        assert int(np.argmax(curve)) == result.focus_index.compute()[5, 5]


@pytest.mark.parametrize("engine", ["laplacian-energy", NEIGHBOURS])
def test_a_curve_can_be_stopped_whatever_the_engine(engine: str) -> None:
    with fuse(stack_of(textured((3, 60, 60))), engine=engine) as result:
        assert result.curves is not None
        with pytest.raises(FusionCancelled):
            result.curves.at(5, 5, should_stop=lambda: True)


def test_what_is_remembered_is_limited(n_read: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    with fuse(stack_of(textured((3, 60, 120))), engine="laplacian-energy") as result:
        n_read[0] = 0
        for x in (5, 100, 5, 100):
            result.focus_curve(5, x)
        assert n_read == [6]
        monkeypatch.setattr(curve_memory, "CACHE_BYTES", 1)
        for x in (50, 5, 100):
            result.focus_curve(5, x)
        assert n_read == [15]


def test_closing_never_waits_for_a_curve(n_read: list[int]) -> None:
    stack = stack_of(textured((3, 60, 60)))
    result = fuse(stack, engine=KEEPS)
    assert result.curves is not None
    arrived, may_go = threading.Event(), threading.Event()

    def waits() -> bool:
        arrived.set()
        assert may_go.wait(20)
        return False

    errors: list[Exception] = []

    def ask() -> None:
        try:
            result.curves.at(5, 5, should_stop=waits)
        except FusionCancelled as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert arrived.wait(20)
    result.close()
    may_go.set()
    thread.join(20)
    assert len(errors) == 1
    n_read[0] = 0
    result.curves.at(5, 5)
    assert n_read == [3], "what was computed before the close was remembered"


def test_a_window_that_cannot_be_read_is_not_kept(
    n_read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fuse(stack_of(textured((3, 60, 60))), engine=KEEPS) as result:
        assert result.curves is not None
        read = WindowReader.engine_slice

        def fails(self: WindowReader, position: int) -> np.ndarray:
            if position == 2:
                raise SourceError("gone")
            return read(self, position)

        for call in (result.curves.at, result.curves.prepare):
            with monkeypatch.context() as broken, pytest.raises(SourceError):
                broken.setattr(WindowReader, "engine_slice", fails)
                call(5, 5)
        n_read[0] = 0
        assert int(np.argmax(result.focus_curve(5, 5))) == result.focus_index.compute()[5, 5]
        assert n_read == [3]


def test_in_a_window_that_was_got_ready_no_pixel_reads(n_read: list[int]) -> None:
    with fuse(stack_of(textured((3, 250, 250))), engine=KEEPS, **SMALL_BLOCKS) as result:
        curves = result.curves
        assert curves is not None
        assert not curves.is_ready(5, 5)
        n_read[0] = 0
        assert curves.prepare(5, 5)
        assert n_read == [3]
        assert curves.is_ready(90, 90)
        assert not curves.is_ready(0, 96)
        assert_agrees_at(result, (5, 5), (90, 90))
        assert curves.prepare(60, 60), "there is nothing left to do"
        assert n_read == [3]


def test_a_preparation_can_be_stopped_and_taken_up_by_a_curve(n_read: list[int]) -> None:
    with fuse(stack_of(textured((6, 60, 60))), engine=KEEPS) as result:
        curves = result.curves
        assert curves is not None
        n_read[0] = 0
        with pytest.raises(FusionCancelled):
            curves.prepare(5, 5, should_stop=lambda: n_read[0] >= 4)
        assert n_read == [4]
        assert not curves.is_ready(5, 5)
        assert_agrees_at(result, (9, 40))
        assert n_read == [6]


@pytest.mark.parametrize("asked", [(20, 20), (5, 200)])
def test_a_curve_waits_for_one_slice_of_a_preparation_at_most(
    n_read: list[int], asked: tuple[int, int]
) -> None:
    with fuse(stack_of(textured((6, 100, 250))), engine=KEEPS, **SMALL_BLOCKS) as result:
        curves = result.curves
        assert curves is not None
        n_read[0] = 0
        is_preparing, found = threading.Event(), []

        def lets_the_curve_come() -> bool:
            is_preparing.set()
            while not curves.is_asked_for:
                assert asking.is_alive()
            return False

        def ask() -> None:
            assert is_preparing.wait(20)
            found.append(curves.at(*asked))

        asking = threading.Thread(target=ask)
        asking.start()
        assert not curves.prepare(5, 5, should_stop=lets_the_curve_come)
        asking.join(20)
        # The same window goes on after its first slice, another begins.
        assert n_read == [6 if asked == (20, 20) else 7]
        assert int(np.argmax(found[0])) == result.focus_index.compute()[asked]


def test_a_preparation_gives_way_to_a_curve_under_way(n_read: list[int]) -> None:
    with fuse(stack_of(textured((3, 60, 60))), engine=KEEPS) as result:
        curves = result.curves
        assert curves is not None
        answers: list[bool] = []

        def asks_beside() -> bool:
            answers.append(curves.prepare(5, 5))
            return False

        curves.at(5, 5, should_stop=asks_beside)
        assert set(answers) == {False}


def test_closing_ends_a_preparation() -> None:
    with fuse(stack_of(textured((3, 60, 60))), engine=KEEPS) as result:
        curves = result.curves
        assert curves is not None

        def closes() -> bool:
            curves.close()
            return False

        with pytest.raises(FusionCancelled):
            curves.prepare(5, 5, should_stop=closes)
        assert not curves.is_ready(5, 5)


@pytest.mark.parametrize("engine", ["laplacian-energy", NEIGHBOURS])
def test_there_is_nothing_to_get_ready_where_no_window_is_kept(
    n_read: list[int], engine: str
) -> None:
    with fuse(stack_of(textured((3, 60, 60))), engine=engine) as result:
        assert result.curves is not None
        n_read[0] = 0
        assert result.curves.is_ready(5, 5)
        assert result.curves.prepare(5, 5)
        assert n_read == [0]


def test_several_windows_stay_ready_within_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with fuse(stack_of(textured((3, 90, 250))), engine=KEEPS, **SMALL_BLOCKS) as result:
        curves = result.curves
        assert curves is not None
        xs = (5, 100, 200)
        for x in xs:
            curves.prepare(5, x)
        assert [curves.is_ready(5, x) for x in xs] == [True, True, True]
        curves.close()
        monkeypatch.setattr(curve_memory, "KEPT_BYTES", 1)
        for x in xs:
            curves.prepare(5, x)
        assert [curves.is_ready(5, x) for x in xs] == [False, False, True]


def test_the_parts_that_are_got_ready_cover_the_result_once() -> None:
    options = {"region": ((20, 90), (15, 240)), "engine": KEEPS, **SMALL_BLOCKS}
    with fuse(stack_of(textured((2, 100, 250))), **options) as result:
        assert result.curves is not None
        times = np.zeros(result.images["fused"].shape_yx, int)
        parts = {result.curves.window_at(y, x) for y in range(70) for x in range(225)}
        for part in parts:
            assert result.curves.window_at(part.y0, part.x1 - 1) == part
            times[part.slices] += 1
        assert (times == 1).all()


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
