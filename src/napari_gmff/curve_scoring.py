"""Scores the surroundings of a pixel as a run scored them, and gets windows ready for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.curve_memory import CurveTile, WindowAtHand, WindowsAtHand
from napari_gmff.engines.base import KeepsWindows
from napari_gmff.window_reader import WindowReader
from napari_gmff.windows import Box, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.engines.base import FocusEngine
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.scores import TileScores

TILE_PX = 16
"""Side of what is scored round a pixel: its neighbours are the next to be asked for."""

Check = Callable[[], None]
"""Called after each slice; raises `FusionCancelled` to stop."""


class CurveScorer:
    """Scores small tiles; not safe to use from several threads at once.

    Parameters
    ----------
    stack, plan, engine, inputs
        Of the run that made the result.
    channels : list of int, optional
        The channels that the choice was for; all where left out.
    """

    def __init__(
        self,
        stack: FocusStack,
        plan: FusionPlan,
        engine: FocusEngine,
        inputs: list[EngineInput],
        channels: list[int] | None = None,
    ) -> None:
        self._channels = channels
        self._stack = stack
        self._plan = plan
        self._engine = engine
        self._inputs = inputs
        self._kept = WindowsAtHand()

    def tile_at(self, pixel: Box, time_position: int, check: Check) -> CurveTile:
        """Score a small tile round a pixel, `is_rounded` where it was cut out of a kept window."""
        window = self.window_of(pixel)
        tile = _tile_of(pixel, window)
        reach_px = self._reach_px(time_position)
        if reach_px is not None:
            grown = Box(
                tile.y0 - reach_px, tile.y1 + reach_px, tile.x0 - reach_px, tile.x1 + reach_px
            ).intersection(window.read)
            assert grown is not None
            near = Window(grown, tile)
            return self._score_window(near, pixel, time_position, check, read_ahead=True)
        if isinstance(self._engine, KeepsWindows):
            return self._score_kept(window, tile, time_position, check)
        return self._score_window(window, pixel, time_position, check)

    def tile_as_run(self, pixel: Box, time_position: int, check: Check) -> CurveTile:
        """Score a pixel of a kept window in the very tile of the run."""
        window = self.window_of(pixel)
        at_hand = self._ready(window, time_position, check)
        wanted = pixel.shifted(-window.read.y0, -window.read.x0)
        items = at_hand.kept.iter_scores(wanted)
        scores, place = self._gathered(items, at_hand.invalid, wanted, check)
        place = place.shifted(window.read.y0, window.read.x0)
        return CurveTile(time_position, place, scores).trimmed(window.core)

    def is_ready(self, pixel: Box, time_position: int) -> bool:
        """Whether nothing is left to prepare for a pixel; may be asked from any thread."""
        if not isinstance(self._engine, KeepsWindows) or self._reach_px(time_position) is not None:
            return True
        at_hand = self._kept.find(time_position, self.window_of(pixel))
        return at_hand is not None and at_hand.is_ready

    def prepare(self, window: Window, time_position: int) -> Iterator[None]:
        """Get a window ready, where `is_ready` says no; yields after each slice."""
        at_hand = self._at_hand(window, time_position)
        while True:
            try:
                next(at_hand.preparation)
            except StopIteration:
                at_hand.is_ready = True
                return
            except BaseException:  # one that failed cannot be taken up again
                self._kept.drop(at_hand)
                raise
            yield

    def forget(self) -> None:
        """Let all kept windows go, scratch files included."""
        self._kept.clear()

    def window_of(self, pixel: Box) -> Window:
        """Return the window whose core holds a pixel of the stack."""
        return next(w for w in self._plan.windows if w.core.intersection(pixel))

    def _reach_px(self, time_position: int) -> int | None:
        """Return how far away the source has a share in a score; None for anywhere."""
        reach_px = self._engine.reach_px
        # Gaps of float images are filled from the nearest finite pixel, however far that is.
        if reach_px is None or self._stack.dtype.kind == "f":
            return None
        return reach_px + self._inputs[time_position].reach_px

    def _reader(self, window: Window, time_position: int) -> WindowReader:
        time, one = self._plan.times[time_position], self._inputs[time_position]
        return WindowReader(self._stack, self._plan, time, window, one, self._channels)

    def _score_window(
        self,
        window: Window,
        pixel: Box,
        time_position: int,
        check: Check,
        *,
        read_ahead: bool = False,
    ) -> CurveTile:
        """Score the tile of a window that holds a pixel, as the run did."""
        reader = self._reader(window, time_position)
        if read_ahead:
            reader.read_ahead()
        wanted = pixel.shifted(-window.read.y0, -window.read.x0)
        items = self._engine.iter_scores(
            reader.engine_slice, len(self._plan.slices), window.read.shape, within=wanted
        )
        scores, place = self._gathered(items, reader.invalid, wanted, check)
        place = place.shifted(window.read.y0, window.read.x0)
        # Beyond the core a neighbour's scores hold.
        return CurveTile(time_position, place, scores).trimmed(window.core)

    def _gathered(
        self,
        items: Iterator[TileScores | None],
        invalid: dict[int, NDArray[np.bool_]],
        wanted: Box,
        check: Check,
    ) -> tuple[NDArray[np.float32], Box]:
        """Return the scores (N, h, w) of the tile that holds what is wanted, and its place."""
        tile, scores = wanted, []
        for item in items:
            if item is not None and item.tile.intersection(wanted):
                tile = item.tile
                scores.append(_masked(item.scores, invalid.get(item.slice_index), tile))
            check()
        return np.stack(scores), tile

    def _score_kept(self, window: Window, tile: Box, time_position: int, check: Check) -> CurveTile:
        at_hand = self._ready(window, time_position, check)
        local = tile.shifted(-window.read.y0, -window.read.x0)
        scores = at_hand.kept.scores(local)
        masked = [_masked(one, at_hand.invalid.get(k), local) for k, one in enumerate(scores)]
        return CurveTile(time_position, tile, np.stack(masked), is_rounded=True)

    def _ready(self, window: Window, time_position: int, check: Check) -> WindowAtHand:
        for _ in self.prepare(window, time_position):
            check()
        return self._at_hand(window, time_position)

    def _at_hand(self, window: Window, time_position: int) -> WindowAtHand:
        at_hand = self._kept.find(time_position, window)
        if at_hand is None:
            assert isinstance(self._engine, KeepsWindows)
            reader = self._reader(window, time_position)
            kept = self._engine.keep_window(len(self._plan.slices), window.read.shape)
            preparation = kept.prepare(reader.engine_slice)
            at_hand = WindowAtHand(time_position, window, kept, reader.invalid, preparation)
        self._kept.put_first(at_hand)
        return at_hand


def _tile_of(pixel: Box, window: Window) -> Box:
    """Return the part of the window's grid of small tiles that a pixel lies in."""
    y0 = pixel.y0 - (pixel.y0 - window.read.y0) % TILE_PX
    x0 = pixel.x0 - (pixel.x0 - window.read.x0) % TILE_PX
    tile = Box(y0, y0 + TILE_PX, x0, x0 + TILE_PX).intersection(window.core)
    assert tile is not None
    return tile


def _masked(
    scores: NDArray[np.float32], invalid: NDArray[np.bool_] | None, tile: Box
) -> NDArray[np.float32]:
    if invalid is None:
        return scores
    return np.where(invalid[tile.slices], np.float32(-np.inf), scores)
