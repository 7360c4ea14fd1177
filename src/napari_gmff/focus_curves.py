"""Focus curves: the scores of all slices at one pixel, computed again when asked for.

Scoring a whole window for one pixel would take seconds. An engine that looks only a few pixels
far gets just these; one that looks at the whole window, as a network does, keeps what it learnt of
it, so that only the first pixel of a window takes that long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.engines.base import KeepsWindows, KeptWindow
from napari_gmff.errors import FusionCancelled
from napari_gmff.source_pixels import SourcePixels
from napari_gmff.window_reader import WindowReader
from napari_gmff.windows import Box, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.engines.base import FocusEngine
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack

TILE_PX = 32
"""Side of what is scored round a pixel: its neighbours are the next to be asked for."""

CACHE_BYTES = 64 << 20
"""Scores that are remembered, the latest first."""

_ROUNDING = 1e-4
"""Far above what the size of a tile changes in a score; nearer rivals are scored as in the run."""

ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class _Curves:
    """Scores of one tile, (N, h, w), and its place in the image."""

    time_position: int
    place: Box
    scores: NDArray[np.float32]
    is_rounded: bool = False
    """Whether they are those of the run up to rounding only."""

    def holds(self, pixel: Box, time_position: int) -> bool:
        return self.time_position == time_position and self.place.intersection(pixel) is not None

    def at(self, pixel: Box) -> NDArray[np.float32]:
        return self.scores[:, pixel.y0 - self.place.y0, pixel.x0 - self.place.x0].copy()

    def trimmed(self, box: Box) -> _Curves:
        """Return a copy of what lies in a box."""
        part = self.place.intersection(box)
        assert part is not None
        local = part.shifted(-self.place.y0, -self.place.x0)
        return _Curves(self.time_position, part, self.scores[(slice(None), *local.slices)].copy())


@dataclass
class _Kept:
    """The window at hand, of an engine that keeps windows."""

    time_position: int
    window: Window
    kept: KeptWindow
    invalid: dict[int, NDArray[np.bool_]]
    preparation: Iterator[None] = field(repr=False)


class FocusCurves:
    """Gives the scores that a result was chosen by; safe to use from several threads.

    Parameters
    ----------
    stack, plan, engine, inputs
        Of the run that made the result.

    Attributes
    ----------
    pixels : SourcePixels
        What the result was chosen from.
    """

    def __init__(
        self,
        stack: FocusStack,
        plan: FusionPlan,
        engine: FocusEngine,
        inputs: list[EngineInput],
    ) -> None:
        self.pixels = SourcePixels(stack, plan)
        self._stack = stack
        self._plan = plan
        self._engine = engine
        self._inputs = inputs
        self._tiles: list[_Curves] = []
        self._kept: _Kept | None = None
        self._lock = threading.Lock()
        self._forgets = threading.Event()

    def at(
        self, y: int, x: int, time_position: int = 0, *, should_stop: ShouldStop | None = None
    ) -> NDArray[np.float32]:
        """Return the scores of all fused slices at a pixel of the result.

        Parameters
        ----------
        y, x : int
            Pixel of the result.
        time_position : int
            Time point of the result.
        should_stop : callable, optional
            Asked after each slice; what was done until then is kept for the next time.

        Returns
        -------
        ndarray, (N,), float32
            In slice order; -inf where the source is not finite.

        Raises
        ------
        ParameterError
            If the pixel is outside the result.
        SourceError
            If the stack cannot be read.
        FusionCancelled
            If `should_stop` said so.
        """
        pixel = self.pixels.in_image(Box(y, y + 1, x, x + 1), time_position)
        with self._lock:
            self._forget_if_asked()
            try:
                tile = self._remembered(pixel, time_position)
                if tile is None:
                    tile = self._score_tile(pixel, time_position, should_stop)
                    self._remember(tile)
                if tile.is_rounded and _is_close(tile.at(pixel)):
                    window = self._window_of(pixel)
                    tile = self._score_window(window, pixel, time_position, should_stop)
                    self._remember(tile)
            finally:
                self._forget_if_asked()
        return tile.at(pixel)

    def close(self) -> None:
        """Forget what is remembered, scratch files included; it can be computed again.

        Never waits: a computation that is under way stops and forgets by itself.
        """
        self._forgets.set()
        if self._lock.acquire(blocking=False):
            try:
                self._forget_if_asked()
            finally:
                self._lock.release()

    def _forget_if_asked(self) -> None:
        if self._forgets.is_set():
            self._tiles.clear()
            self._drop_kept()
            self._forgets.clear()

    def _check(self, should_stop: ShouldStop | None) -> None:
        if self._forgets.is_set() or (should_stop is not None and should_stop()):
            raise FusionCancelled(f"{self._stack.name}: focus curve stopped on request")

    def _remembered(self, pixel: Box, time_position: int) -> _Curves | None:
        return next((tile for tile in self._tiles if tile.holds(pixel, time_position)), None)

    def _remember(self, tile: _Curves) -> None:
        self._tiles.insert(0, tile)
        while len(self._tiles) > 1 and sum(one.scores.nbytes for one in self._tiles) > CACHE_BYTES:
            self._tiles.pop()

    def _score_tile(
        self, pixel: Box, time_position: int, should_stop: ShouldStop | None
    ) -> _Curves:
        window = self._window_of(pixel)
        tile = _tile_of(pixel, window)
        reach_px = self._reach_px(time_position)
        if reach_px is not None:
            grown = Box(
                tile.y0 - reach_px, tile.y1 + reach_px, tile.x0 - reach_px, tile.x1 + reach_px
            ).intersection(window.read)
            assert grown is not None
            near = Window(grown, tile)
            return self._score_window(near, pixel, time_position, should_stop, read_ahead=True)
        if isinstance(self._engine, KeepsWindows):
            return self._score_kept(self._engine, window, tile, time_position, should_stop)
        return self._score_window(window, pixel, time_position, should_stop)

    def _window_of(self, pixel: Box) -> Window:
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
        return WindowReader(self._stack, self._plan, time, window, one)

    def _score_window(
        self,
        window: Window,
        pixel: Box,
        time_position: int,
        should_stop: ShouldStop | None,
        *,
        read_ahead: bool = False,
    ) -> _Curves:
        """Score the tile of a window that holds a pixel, as the run did."""
        reader = self._reader(window, time_position)
        if read_ahead:
            reader.read_ahead()
        wanted = pixel.shifted(-window.read.y0, -window.read.x0)
        n_slices = len(self._plan.slices)
        tile, scores = wanted, []
        for item in self._engine.iter_scores(
            reader.engine_slice, n_slices, window.read.shape, within=wanted
        ):
            if item is not None and item.tile.intersection(wanted):
                tile = item.tile
                scores.append(_masked(item.scores, reader.invalid.get(item.slice_index), tile))
            self._check(should_stop)
        place = tile.shifted(window.read.y0, window.read.x0)
        # Beyond the core a neighbour's scores hold.
        return _Curves(time_position, place, np.stack(scores)).trimmed(window.core)

    def _score_kept(
        self,
        engine: KeepsWindows,
        window: Window,
        tile: Box,
        time_position: int,
        should_stop: ShouldStop | None,
    ) -> _Curves:
        at_hand = self._keep(engine, window, time_position)
        try:
            for _ in at_hand.preparation:
                self._check(should_stop)
            local = tile.shifted(-window.read.y0, -window.read.x0)
            scores = at_hand.kept.scores(local)
        except FusionCancelled:
            raise
        except BaseException:  # a preparation that failed cannot be taken up again
            self._drop_kept()
            raise
        masked = [_masked(one, at_hand.invalid.get(k), local) for k, one in enumerate(scores)]
        return _Curves(time_position, tile, np.stack(masked), is_rounded=True)

    def _keep(self, engine: KeepsWindows, window: Window, time_position: int) -> _Kept:
        old = self._kept
        if old is not None and (old.time_position, old.window) == (time_position, window):
            return old
        self._drop_kept()
        reader = self._reader(window, time_position)
        kept = engine.keep_window(len(self._plan.slices), window.read.shape)
        preparation = kept.prepare(reader.engine_slice)
        self._kept = _Kept(time_position, window, kept, reader.invalid, preparation)
        return self._kept

    def _drop_kept(self) -> None:
        if self._kept is not None:
            self._kept.kept.close()
            self._kept = None


def _tile_of(pixel: Box, window: Window) -> Box:
    """Return the part of the window's grid of small tiles that a pixel lies in."""
    y0 = pixel.y0 - (pixel.y0 - window.read.y0) % TILE_PX
    x0 = pixel.x0 - (pixel.x0 - window.read.x0) % TILE_PX
    tile = Box(y0, y0 + TILE_PX, x0, x0 + TILE_PX).intersection(window.core)
    assert tile is not None
    return tile


def _is_close(curve: NDArray[np.float32]) -> bool:
    """Whether rounding may decide which slice is the best."""
    finite = np.sort(curve[np.isfinite(curve)])
    if finite.size < 2:
        return False
    return bool(finite[-1] - finite[-2] < _ROUNDING * max(1.0, abs(float(finite[-1]))))


def _masked(
    scores: NDArray[np.float32], invalid: NDArray[np.bool_] | None, tile: Box
) -> NDArray[np.float32]:
    if invalid is None:
        return scores
    return np.where(invalid[tile.slices], np.float32(-np.inf), scores)
