"""Focus curves: the scores of all slices at one pixel, computed again when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.window_reader import WindowReader
from napari_gmff.windows import Box, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.engines.base import FocusEngine
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack


@dataclass(frozen=True)
class _Curves:
    """Scores of one tile, (N, h, w), and its place in the image."""

    time_position: int
    place: Box
    scores: NDArray[np.float32]

    def holds(self, pixel: Box, time_position: int) -> bool:
        return self.time_position == time_position and self.place.intersection(pixel) is not None


class FocusCurves:
    """Gives the scores that a result was chosen by; remembers the last tile.

    Parameters
    ----------
    stack, plan, engine, inputs
        Of the run that made the result.
    """

    def __init__(
        self,
        stack: FocusStack,
        plan: FusionPlan,
        engine: FocusEngine,
        inputs: list[EngineInput],
    ) -> None:
        self._stack = stack
        self._plan = plan
        self._engine = engine
        self._inputs = inputs
        self._last: _Curves | None = None

    def at(self, y: int, x: int, time_position: int = 0) -> NDArray[np.float32]:
        """Return the scores of all fused slices at a pixel of the result.

        Parameters
        ----------
        y, x : int
            Pixel of the result.
        time_position : int
            Time point of the result.

        Returns
        -------
        ndarray, (N,), float32
            In slice order; -inf where the source is not finite.

        Raises
        ------
        ParameterError
            If the pixel is outside the result.
        """
        height, width = self._plan.region.shape
        if not (0 <= y < height and 0 <= x < width):
            raise ParameterError(f"pixel: must be inside {height}x{width}, got ({y}, {x})")
        if not 0 <= time_position < len(self._plan.times):
            count = len(self._plan.times)
            raise ParameterError(f"time: must be below {count}, got {time_position}")
        y, x = y + self._plan.region.y0, x + self._plan.region.x0
        pixel = Box(y, y + 1, x, x + 1)
        last = self._last
        if last is None or not last.holds(pixel, time_position):
            last = self._last = self._score_tile(pixel, time_position)
        return last.scores[:, y - last.place.y0, x - last.place.x0].copy()

    def _score_tile(self, pixel: Box, time_position: int) -> _Curves:
        window = next(w for w in self._plan.windows if w.core.intersection(pixel))
        reader = WindowReader(
            self._stack,
            self._plan,
            self._plan.times[time_position],
            window,
            self._inputs[time_position],
        )
        wanted = pixel.shifted(-window.read.y0, -window.read.x0)
        n_slices = len(self._plan.slices)
        scores: list[NDArray[np.float32]] = []
        tile = wanted
        for item in self._engine.iter_scores(
            reader.engine_slice, n_slices, window.read.shape, within=wanted
        ):
            if item is not None and item.tile.intersection(wanted):
                tile = item.tile
                invalid = reader.invalid.get(item.slice_index)
                part = item.scores
                if invalid is not None:
                    part = np.where(invalid[tile.slices], np.float32(-np.inf), part)
                scores.append(part)
        place = tile.shifted(window.read.y0, window.read.x0)
        return _trimmed(_Curves(time_position, place, np.stack(scores)), window)


def _trimmed(curves: _Curves, window: Window) -> _Curves:
    """Keep what the window decides: beyond its core a neighbour's scores hold."""
    part = curves.place.intersection(window.core)
    assert part is not None
    local = part.shifted(-curves.place.y0, -curves.place.x0)
    return _Curves(curves.time_position, part, curves.scores[(slice(None), *local.slices)])
