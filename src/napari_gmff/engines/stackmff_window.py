"""One window as StackMFF V4 scores it: coarse maps of whole slices first, then tile by tile."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.engines.neighbour_vote import VOTE_MARGIN_PX, vote_within
from napari_gmff.engines.second_look import box_behind, halved_plane, joined, raised
from napari_gmff.network.coarse_maps import coarse_maps
from napari_gmff.network.evaluator import QUARTER_CHANNELS, StackMFFV4Evaluator
from napari_gmff.network.fine_tiles import fine_tile_px, grown_tile, n_tile_steps
from napari_gmff.network.stackmff_v4 import SIZE_MULTIPLE_PX
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.network.coarse_maps import CoarseMaps
    from napari_gmff.network.fine_tiles import FineTiles
    from napari_gmff.scores import ReadSlice, TileScores
    from napari_gmff.weights.card import ModelDescription

_OUTLIER_LIMITS = (-1.0, 2.0)
"""A pixel far outside the input range would upset the network's means over the whole window."""


@dataclass(frozen=True)
class WindowPlan:
    """Which tiles a window is scored in, and how; follows from its size and the model card.

    Attributes
    ----------
    n_slices : int
        At least 1.
    shape_yx : tuple of int
        Height and width of the window, any size.
    temperature, neighbours_vote_below, half_resolution_weight : float
        See `napari_gmff.weights.card.ModelDescription`.
    """

    n_slices: int
    shape_yx: tuple[int, int]
    temperature: float = 1.0
    neighbours_vote_below: float = 0.0
    half_resolution_weight: float = 0.0

    @classmethod
    def of(cls, card: ModelDescription, n_slices: int, shape_yx: tuple[int, int]) -> WindowPlan:
        """Plan a window as a card says."""
        return cls(
            n_slices,
            shape_yx,
            card.temperature,
            card.neighbours_vote_below,
            card.half_resolution_weight,
        )

    @property
    def padded(self) -> tuple[int, int]:
        """Size at which the network sees the window."""
        return padded_shape(self.shape_yx)

    @property
    def half_padded(self) -> tuple[int, int]:
        """Size at which it looks again."""
        height, width = self.padded
        return padded_shape((height // 2, width // 2))

    @property
    def margin_px(self) -> int:
        """How much of its surroundings a tile needs besides the network's halo."""
        return VOTE_MARGIN_PX if self.neighbours_vote_below else 0

    def tiles(self, within: Box | None = None, tile_px: int | None = None) -> list[Box]:
        """Return the tiles that meet a part of the window, each with its margin."""
        part = Box(0, self.shape_yx[0], 0, self.shape_yx[1]) if within is None else within
        grid = tiles(self.padded, tile_px or fine_tile_px(self.n_slices))
        return [one.grown(self.margin_px, self.padded) for one in grid if one.intersection(part)]

    def n_steps(self) -> int:
        """Count the items that scoring the window yields where memory suffices."""
        return self.n_slices + sum(self._n_steps_of(tile) for tile in self.tiles())

    def _n_steps_of(self, tile: Box) -> int:
        steps = n_tile_steps(self.n_slices, tile, self.padded)
        if self.half_resolution_weight:
            behind = box_behind(tile, self.half_padded)
            steps += n_tile_steps(self.n_slices, behind, self.half_padded)
        return steps + (self.n_slices if self.neighbours_vote_below else 0)

    def work_ns(self) -> float:
        """Coarse maps for each slice, then fine tiles with their halo and the exchange in them."""
        fine_ns_per_px = 280.0 + 1.8 * self.n_slices
        coarse_px, fine_px = math.prod(self.padded), 0
        for tile in self.tiles():
            fine_px += math.prod(grown_tile(tile, self.padded).shape)
            if self.half_resolution_weight:
                behind = box_behind(tile, self.half_padded)
                fine_px += math.prod(grown_tile(behind, self.half_padded).shape)
        if self.half_resolution_weight:
            coarse_px += math.prod(self.half_padded)
        return self.n_slices * (115.0 * coarse_px + fine_ns_per_px * fine_px)


class _Look:
    """The coarse maps of a window at one resolution, and its fine tiles."""

    def __init__(
        self,
        evaluator: StackMFFV4Evaluator,
        n_slices: int,
        shape_yx: tuple[int, int],
        maps: CoarseMaps,
    ) -> None:
        self._evaluator = evaluator
        self._n_slices = n_slices
        self.shape_yx = shape_yx
        self._maps = maps
        self._fine: FineTiles | None = None

    def take_in(self, slice_index: int, plane: NDArray[np.float32]) -> None:
        """Fill the coarse map of a slice."""
        self._maps[slice_index] = self._evaluator.coarse_map(padded_plane(plane, self.shape_yx))

    def iter_tile(self, tile: Box, largest_px: int) -> Iterator[TileScores | None]:
        """Score a tile; `largest_px` is the side of the largest that comes."""
        if self._fine is None or self._fine.tile_px < largest_px:
            self._fine = self._evaluator.fine_tiles(
                self._n_slices, self.shape_yx, self._maps, largest_px
            )
        return self._evaluator.iter_tile(tile, self._fine)

    def free(self) -> None:
        """Give the room for features back; the maps stay."""
        self._fine = None


class ScoredWindow:
    """The coarse maps of a window, from which its parts are scored as often as wanted.

    Parameters
    ----------
    evaluator : StackMFFV4Evaluator
        Runs the network.
    plan : WindowPlan
        Of the window.
    memory_limit_mb : int
        Larger maps are kept in a scratch file.

    Attributes
    ----------
    n_bytes : int
        Size of the maps.
    """

    def __init__(
        self, evaluator: StackMFFV4Evaluator, plan: WindowPlan, memory_limit_mb: int
    ) -> None:
        self._plan = plan
        self._room = ExitStack()
        self.n_bytes = 0
        sizes = [plan.padded, *([plan.half_padded] if plan.half_resolution_weight else [])]
        self._looks = [self._look(evaluator, size, memory_limit_mb) for size in sizes]

    def _look(
        self, evaluator: StackMFFV4Evaluator, shape_yx: tuple[int, int], memory_limit_mb: int
    ) -> _Look:
        height, width = shape_yx
        map_shape = (self._plan.n_slices, height // 4, width // 4, QUARTER_CHANNELS)
        # The limit is for the maps of both looks together.
        left_mb = max(memory_limit_mb - (self.n_bytes >> 20), 0)
        self.n_bytes += 4 * math.prod(map_shape)
        maps = self._room.enter_context(coarse_maps(map_shape, left_mb))
        return _Look(evaluator, self._plan.n_slices, shape_yx, maps)

    def iter_coarse(self, read_slice: ReadSlice) -> Iterator[None]:
        """Fill the coarse maps, one step for each slice."""
        first, *second = self._looks
        for k in range(self._plan.n_slices):
            plane = np.clip(read_slice(k), *_OUTLIER_LIMITS)
            first.take_in(k, plane)
            for look in second:
                look.take_in(k, halved_plane(padded_plane(plane, first.shape_yx)))
            yield None

    def iter_fine(
        self, within: Box | None = None, tile_px: int | None = None
    ) -> Iterator[TileScores | None]:
        """Score the tiles that meet a part of the window, as the card says; may hold padding."""
        items = self._iter_cooled(self._plan.tiles(within, tile_px))
        below = self._plan.neighbours_vote_below
        if below:
            items = vote_within(items, below, self._plan.n_slices, self._plan.padded)
        yield from items

    def _iter_cooled(self, wanted: list[Box]) -> Iterator[TileScores | None]:
        """Divide logits by the temperature of the weights."""
        factor = np.float32(1 / self._plan.temperature)
        largest_px = max(max(tile.shape) for tile in wanted)
        for tile in wanted:
            for item in self._iter_tile(tile, largest_px):
                if item is None or factor == 1:
                    yield item
                else:
                    yield replace(item, scores=item.scores * factor)
        for look in self._looks:
            look.free()

    def _iter_tile(self, tile: Box, largest_px: int) -> Iterator[TileScores | None]:
        first, *second = self._looks
        weight = self._plan.half_resolution_weight
        behind = box_behind(tile, self._plan.half_padded)
        again: list[NDArray[np.float32]] = []
        for look in second:
            again = yield from _all_scores(look.iter_tile(behind, largest_px // 2 + 8))
        for item in first.iter_tile(tile, largest_px):
            if item is None or not again:
                yield item
            else:
                second_scores = raised(again[item.slice_index], behind, tile)
                yield replace(item, scores=joined(item.scores, second_scores, weight))

    def close(self) -> None:
        """Give back the room of the coarse maps."""
        self._room.close()


def _all_scores(
    items: Iterator[TileScores | None],
) -> Generator[None, None, list[NDArray[np.float32]]]:
    """Return the scores of all slices of a tile, one step for each item."""
    scores = []
    for item in items:
        if item is not None:
            scores.append(item.scores)
        yield None
    return scores


def padded_shape(shape_yx: tuple[int, int]) -> tuple[int, int]:
    """Round a window's sides up to the network's size multiple."""
    height, width = (-(-side // SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX for side in shape_yx)
    return height, width


def padded_plane(plane: NDArray[np.float32], shape_yx: tuple[int, int]) -> NDArray[np.float32]:
    """Extend a plane at bottom and right by reflection, as often as its size asks for.

    Resizing instead, as the authors' script does, loses detail: for a side of 320 px its focus
    map is 256 px wide and is stretched back.
    """
    extra = [(0, target - side) for side, target in zip(plane.shape, shape_yx, strict=True)]
    # numpy reflects repeatedly where the pad is longer than the image.
    mode = ["reflect" if side > 1 else "edge" for side in plane.shape]
    for axis in (0, 1):
        if extra[axis][1]:
            widths = [(0, 0), (0, 0)]
            widths[axis] = extra[axis]
            plane = np.pad(plane, widths, mode=mode[axis])  # type: ignore[call-overload]
    return np.ascontiguousarray(plane)
