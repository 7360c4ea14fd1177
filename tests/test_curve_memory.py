"""What is remembered of focus curves has its limits, and gives back what it held."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_gmff import curve_memory
from napari_gmff.curve_memory import CurveTile, CurveTiles, WindowAtHand, WindowsAtHand
from napari_gmff.scores import ReadSlice, TileScores
from napari_gmff.windows import Box, Window

PIXEL = Box(4, 5, 6, 7)


class Room:
    """Keeps nothing but its size."""

    n_bytes = 100

    def __init__(self) -> None:
        self.is_open = True

    def prepare(self, read_slice: ReadSlice) -> Iterator[None]:
        yield

    def scores(self, part: Box) -> np.ndarray:
        return np.zeros((1, *part.shape), np.float32)

    def iter_scores(self, within: Box) -> Iterator[TileScores]:
        return iter(())

    def close(self) -> None:
        self.is_open = False


def window_at(y: int, *, is_ready: bool = True) -> WindowAtHand:
    box = Box(y, y + 10, 0, 10)
    return WindowAtHand(0, Window(box, box), Room(), {}, iter(()), is_ready)


def tile_at(place: Box, time_position: int = 0) -> CurveTile:
    scores = np.arange(2 * place.shape[0] * place.shape[1], dtype=np.float32)
    return CurveTile(time_position, place, scores.reshape(2, *place.shape))


def test_a_tile_is_found_by_the_pixels_in_it() -> None:
    tiles, tile = CurveTiles(), tile_at(Box(0, 8, 0, 8))
    tiles.add(tile)
    assert tiles.find(PIXEL, 0) is tile
    assert tiles.find(PIXEL, 1) is None
    assert tiles.find(Box(8, 9, 0, 1), 0) is None
    tiles.clear()
    assert tiles.find(PIXEL, 0) is None


def test_a_trimmed_tile_holds_the_same_scores() -> None:
    tile = tile_at(Box(2, 9, 3, 9), time_position=1)
    part = tile.trimmed(Box(4, 20, 0, 7))
    assert part.place == Box(4, 9, 3, 7)
    np.testing.assert_array_equal(part.at(PIXEL), tile.at(PIXEL))
    assert part.time_position == 1


def test_the_oldest_tile_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = CurveTiles()
    places = [Box(y, y + 8, 0, 8) for y in (0, 8, 16)]
    monkeypatch.setattr(curve_memory, "CACHE_BYTES", 2 * tile_at(places[0]).scores.nbytes)
    for place in places:
        tiles.add(tile_at(place))
    assert [tiles.find(place, 0) is not None for place in places] == [False, True, True]


def test_the_windows_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_memory, "KEPT_BYTES", 200)
    windows, (first, second, third) = WindowsAtHand(), (window_at(y) for y in (0, 10, 20))
    windows.put_first(first)
    windows.put_first(second)
    windows.put_first(first)
    windows.put_first(third)
    assert windows.find(0, first.window) is first
    assert windows.find(0, second.window) is None
    assert windows.find(1, first.window) is None
    assert [one.kept.is_open for one in (first, second, third)] == [True, False, True]


def test_the_latest_window_is_kept_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_memory, "KEPT_BYTES", 1)
    windows, (first, second) = WindowsAtHand(), (window_at(y) for y in (0, 10))
    windows.put_first(first)
    assert first.kept.is_open
    windows.put_first(second)
    assert not first.kept.is_open
    assert second.kept.is_open


def test_of_windows_on_the_way_only_the_latest_is_kept() -> None:
    windows = WindowsAtHand()
    left, ready, latest = window_at(0, is_ready=False), window_at(10), window_at(20, is_ready=False)
    for one in (left, ready, latest):
        windows.put_first(one)
    assert [one.kept.is_open for one in (left, ready, latest)] == [False, True, True]


def test_windows_that_are_dropped_give_their_room_back() -> None:
    windows, (first, second) = WindowsAtHand(), (window_at(y) for y in (0, 10))
    windows.put_first(first)
    windows.put_first(second)
    windows.drop(first)
    assert windows.find(0, first.window) is None
    windows.clear()
    assert windows.find(0, second.window) is None
    assert not first.kept.is_open
    assert not second.kept.is_open
