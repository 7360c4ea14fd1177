"""Focus curves: the scores of all slices at one pixel, computed again when asked for.

Scoring a whole window for one pixel would take seconds. An engine that looks only a few pixels
far gets just these; one that looks at the whole window, as a network does, keeps what it learnt of
it, so that only the first pixel of a window takes that long, and not even that where the window
was got ready beforehand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.curve_memory import CurveTiles
from napari_gmff.curve_scoring import Check, CurveScorer
from napari_gmff.errors import FusionCancelled
from napari_gmff.source_pixels import SourcePixels
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.engines.base import FocusEngine
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack

_ROUNDING = 1e-4
"""Far above what the size of a tile changes in a score; nearer rivals are scored as in the run."""

ShouldStop = Callable[[], bool]


class FocusCurves:
    """Gives the scores that a result was chosen by; safe to use from several threads.

    Parameters
    ----------
    stack, plan, engine, inputs
        Of the run that made the result.
    channels : list of int, optional
        The channels that the choice was for; all where left out.

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
        channels: list[int] | None = None,
    ) -> None:
        self.pixels = SourcePixels(stack, plan)
        self._scorer = CurveScorer(stack, plan, engine, inputs, channels)
        self._tiles = CurveTiles()
        self._lock = threading.Lock()
        self._forgets = threading.Event()
        self._n_asking = 0
        self._counting = threading.Lock()

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
        check = self._check_of(should_stop)
        with self._asking(), self._lock, self._forgetting():
            tile = self._tiles.find(pixel, time_position)
            if tile is None:
                tile = self._scorer.tile_at(pixel, time_position, check)
                self._tiles.add(tile)
            if tile.is_rounded and _is_close(tile.at(pixel)):
                tile = self._scorer.tile_as_run(pixel, time_position, check)
                self._tiles.add(tile)
        return tile.at(pixel)

    def prepare(
        self, y: int, x: int, time_position: int = 0, *, should_stop: ShouldStop | None = None
    ) -> bool:
        """Get the window of a pixel ready, so that the first curve in it comes quickly too.

        It never holds up a curve for longer than one slice: once one is asked for, it ends, and
        what was done until then serves the next call of either.

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
        bool
            Whether the window is ready; False where a curve was asked for.

        Raises
        ------
        ParameterError
            If the pixel is outside the result.
        SourceError
            If the stack cannot be read.
        FusionCancelled
            If `should_stop` said so, or `close` was called.
        """
        pixel = self.pixels.in_image(Box(y, y + 1, x, x + 1), time_position)
        if self._scorer.is_ready(pixel, time_position):
            return True
        check = self._check_of(should_stop)
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with self._forgetting():
                for _ in self._scorer.prepare(self._scorer.window_of(pixel), time_position):
                    check()
                    if self.is_asked_for:
                        return False
        finally:
            self._lock.release()
        return True

    def is_ready(self, y: int, x: int, time_position: int = 0) -> bool:
        """Whether there is nothing left that `prepare` could do for a pixel; never waits.

        Raises
        ------
        ParameterError
            If the pixel is outside the result.
        """
        pixel = self.pixels.in_image(Box(y, y + 1, x, x + 1), time_position)
        return self._scorer.is_ready(pixel, time_position)

    def window_at(self, y: int, x: int) -> Box:
        """Return the part of the result that `prepare` gets ready together with a pixel.

        Raises
        ------
        ParameterError
            If the pixel is outside the result.
        """
        region = self.pixels.plan.region
        core = self._scorer.window_of(self.pixels.in_image(Box(y, y + 1, x, x + 1))).core
        part = core.intersection(region)
        assert part is not None
        return part.shifted(-region.y0, -region.x0)

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

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody waits for a curve."""
        return self._n_asking > 0

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Let a preparation know that a curve is waited for."""
        with self._counting:
            self._n_asking += 1
        try:
            yield
        finally:
            with self._counting:
                self._n_asking -= 1

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Forget before and after, if `close` asked for it."""
        self._forget_if_asked()
        try:
            yield
        finally:
            self._forget_if_asked()

    def _forget_if_asked(self) -> None:
        if self._forgets.is_set():
            self._tiles.clear()
            self._scorer.forget()
            self._forgets.clear()

    def _check_of(self, should_stop: ShouldStop | None) -> Check:
        def check() -> None:
            if self._forgets.is_set() or (should_stop is not None and should_stop()):
                raise FusionCancelled(f"{self.pixels.stack.name}: focus curve stopped on request")

        return check


def curves_of_run(
    stack: FocusStack, plan: FusionPlan, engine: FocusEngine, inputs: list[EngineInput]
) -> tuple[FocusCurves | None, tuple[FocusCurves, ...]]:
    """Return the curves of a run: those of the choice for all channels, or those of each."""
    if not plan.per_channel:
        return FocusCurves(stack, plan, engine, inputs), ()
    return None, tuple(
        FocusCurves(stack, plan, engine, [one.channels[part] for one in inputs], [channel])
        for part, channel in enumerate(plan.focus_channels)
    )


def _is_close(curve: NDArray[np.float32]) -> bool:
    """Whether rounding may decide which slice is the best."""
    finite = np.sort(curve[np.isfinite(curve)])
    if finite.size < 2:
        return False
    return bool(finite[-1] - finite[-2] < _ROUNDING * max(1.0, abs(float(finite[-1]))))
