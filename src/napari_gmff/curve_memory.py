"""What focus curves remember: scores of small tiles, and windows whose costly part is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_gmff.engines.base import KeptWindow
    from napari_gmff.windows import Box, Window

CACHE_BYTES = 64 << 20
"""Of all scores that are remembered."""

KEPT_BYTES = 256 << 20
"""Of all windows that are kept; the latest one is kept however large it is."""


@dataclass(frozen=True)
class CurveTile:
    """Scores of one tile, and its place in the image.

    Attributes
    ----------
    time_position : int
        Time point of the result.
    place : Box
        In pixels of the stack.
    scores : ndarray, (N, h, w), float32
        Of all fused slices, in order.
    is_rounded : bool
        Whether they are those of the run up to rounding only.
    """

    time_position: int
    place: Box
    scores: NDArray[np.float32]
    is_rounded: bool = False

    def holds(self, pixel: Box, time_position: int) -> bool:
        """Whether a pixel of a time point lies in it."""
        return self.time_position == time_position and self.place.intersection(pixel) is not None

    def at(self, pixel: Box) -> NDArray[np.float32]:
        """Return a copy of the scores (N,) at a pixel in it."""
        return self.scores[:, pixel.y0 - self.place.y0, pixel.x0 - self.place.x0].copy()

    def trimmed(self, box: Box) -> CurveTile:
        """Return a copy of what lies in a box."""
        part = self.place.intersection(box)
        assert part is not None
        local = part.shifted(-self.place.y0, -self.place.x0)
        return CurveTile(self.time_position, part, self.scores[(slice(None), *local.slices)].copy())


class CurveTiles:
    """Remembers tiles, the latest first, in `CACHE_BYTES` at most."""

    def __init__(self) -> None:
        self._tiles: list[CurveTile] = []

    def find(self, pixel: Box, time_position: int) -> CurveTile | None:
        """Return the latest tile that holds a pixel."""
        return next((tile for tile in self._tiles if tile.holds(pixel, time_position)), None)

    def add(self, tile: CurveTile) -> None:
        """Remember a tile, and forget the oldest where there is no room for it."""
        self._tiles.insert(0, tile)
        while len(self._tiles) > 1 and sum(one.scores.nbytes for one in self._tiles) > CACHE_BYTES:
            self._tiles.pop()

    def clear(self) -> None:
        """Forget all tiles."""
        self._tiles.clear()


@dataclass(eq=False)
class WindowAtHand:
    """One window of an engine that keeps windows, ready or on the way to it.

    Attributes
    ----------
    time_position : int
        Time point of the result.
    window : Window
        Its place in the image.
    kept : KeptWindow
        What the engine keeps of it.
    invalid : dict of int to ndarray, (h, w), bool
        By slice position, pixels that are not finite; filled by the preparation.
    preparation : iterator
        Gets it ready, slice by slice.
    is_ready : bool
        Whether that is done.
    """

    time_position: int
    window: Window
    kept: KeptWindow
    invalid: dict[int, NDArray[np.bool_]]
    preparation: Iterator[None] = field(repr=False)
    is_ready: bool = False


class WindowsAtHand:
    """Keeps windows, in `KEPT_BYTES` at most; of those not ready yet only the latest."""

    def __init__(self) -> None:
        self._windows: list[WindowAtHand] = []

    def find(self, time_position: int, window: Window) -> WindowAtHand | None:
        """Return a window if it is kept; may be asked from any thread."""
        for one in tuple(self._windows):
            if (one.time_position, one.window) == (time_position, window):
                return one
        return None

    def put_first(self, latest: WindowAtHand) -> None:
        """Keep a window, new or used again; others go where there is no room for them."""
        room = KEPT_BYTES - latest.kept.n_bytes
        others = [one for one in self._windows if one is not latest]
        self._windows = [latest]
        for one in others:
            room -= one.kept.n_bytes
            # One that is not ready holds what was read of the stack, too.
            if one.is_ready and room >= 0:
                self._windows.append(one)
            else:
                one.kept.close()

    def drop(self, window: WindowAtHand) -> None:
        """Forget a window."""
        self._windows = [one for one in self._windows if one is not window]
        window.kept.close()

    def clear(self) -> None:
        """Forget all windows."""
        dropped, self._windows = self._windows, []
        for one in dropped:
            one.kept.close()
