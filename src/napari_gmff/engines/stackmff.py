"""`stackmff-v4`: the network, padded to its size multiple and run in bounded memory."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from napari_gmff.engines.base import EngineOptions, RangeRule, SmoothingRule, cropped, whole
from napari_gmff.engines.neighbour_vote import VOTE_MARGIN_PX, vote_within
from napari_gmff.errors import DeviceError
from napari_gmff.network.checkpoint import load_model
from napari_gmff.network.coarse_maps import coarse_maps
from napari_gmff.network.devices import pick_device, torch_scope
from napari_gmff.network.evaluator import QUARTER_CHANNELS, StackMFFV4Evaluator
from napari_gmff.network.fine_tiles import fine_tile_px, grown_tile, n_tile_steps
from napari_gmff.network.memory_ladder import is_lack_of_memory
from napari_gmff.network.stackmff_v4 import ARCHITECTURE, SIZE_MULTIPLE_PX
from napari_gmff.scores import ReadSlice, ScoreKind, TileScores
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.shipped_models import SHIPPED_NAME
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

DEFAULT_WEIGHTS = SHIPPED_NAME

KEPT_TILE_PX = 16
"""Side of the fine tiles of a kept window: less than their halo, and so quick."""

_Item = TypeVar("_Item")

_OUTLIER_LIMITS = (-1.0, 2.0)
"""A pixel far outside the input range would upset the network's means over the whole window."""


class StackMFFV4Engine:
    """Scores slices with StackMFF V4, whatever its weights."""

    name: ClassVar[str] = "stackmff-v4"
    title: ClassVar[str] = "StackMFF V4, a neural network that compares all slices"
    score_kind: ClassVar[ScoreKind] = ScoreKind.LOGITS
    method: ClassVar[str] = "the neural network StackMFF V4"
    references: ClassVar[tuple[str, ...]] = (
        'Xie X, et al. "Generative Multi-Focus Image Fusion" (StackMFF V4). '
        "arXiv:2512.21495, 2025.",
    )
    reach_px: ClassVar[int | None] = None

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        state, self._card = resolve_weights(options.weights or DEFAULT_WEIGHTS, ARCHITECTURE)
        self._device = pick_device(options.device)
        self._evaluator = StackMFFV4Evaluator(load_model(state), self._device)

    def input_rule(self, dtype: np.dtype[np.generic]) -> RangeRule:
        """Follow the model card."""
        rules = self._card.input_range
        return rules.eight_bit if dtype == np.uint8 else rules.other

    def smoothing_rule(self) -> SmoothingRule:
        """Follow the model card: weights that learnt noise need no smoothing."""
        return self._card.input_smoothing

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        """One step for each slice's coarse map, and those of the fine tiles."""
        padded = padded_shape(shape_yx)
        fine_tiles = [
            tile.grown(self._margin_px, padded) for tile in _fine_tiles(n_slices, shape_yx)
        ]
        fine = sum(n_tile_steps(n_slices, tile, padded) for tile in fine_tiles)
        votes = n_slices * len(fine_tiles) if self._margin_px else 0
        return n_slices + fine + votes

    @staticmethod
    def work_ns(n_slices: int, shape_yx: tuple[int, int]) -> float:
        """Coarse maps for each slice, then fine tiles with their halo and the exchange in them."""
        height, width = padded_shape(shape_yx)
        coarse = 115.0 * height * width
        for_each_pixel = 280.0 + 1.8 * n_slices
        grown = [grown_tile(tile, (height, width)) for tile in _fine_tiles(n_slices, shape_yx)]
        return n_slices * (coarse + for_each_pixel * sum(math.prod(one.shape) for one in grown))

    def iter_scores(
        self,
        read_slice: ReadSlice,
        n_slices: int,
        shape_yx: tuple[int, int],
        *,
        within: Box | None = None,
    ) -> Iterator[TileScores | None]:
        """Score one window; see `FocusEngine.iter_scores`.

        Raises
        ------
        DeviceError
            If the processor's memory does not suffice.
        """
        padded = padded_shape(shape_yx)
        map_shape = (n_slices, padded[0] // 4, padded[1] // 4, QUARTER_CHANNELS)
        with coarse_maps(map_shape, self._options.memory_limit_mb) as coarse:
            items = self._evaluator.iter_scores(
                _padded_reader(read_slice, padded),
                n_slices,
                padded,
                coarse,
                within=within or whole(shape_yx),
                margin_px=self._margin_px,
            )
            for item in self._finished(items, n_slices, padded):
                yield _within_image(item, shape_yx)

    def keep_window(self, n_slices: int, shape_yx: tuple[int, int]) -> StackMFFV4Window:
        """Make room for a window whose coarse maps are kept; see `KeepsWindows`."""
        return StackMFFV4Window(self, n_slices, shape_yx)

    def _guarded(self, items: Iterator[_Item]) -> Iterator[_Item]:
        """Pass on steps of the evaluator, each with torch's settings as they must be.

        Settings are the process's, so they must not outlive a step: between two items other code
        runs, a napari window for example.
        """
        while True:
            try:
                with torch_scope(self._options.threads):
                    item = next(items)
            except StopIteration:
                return
            except (MemoryError, RuntimeError) as error:
                if is_lack_of_memory(error):
                    device = self._evaluator.device
                    raise DeviceError(f"{device}: out of memory ({error})") from error
                raise
            yield item

    @property
    def _margin_px(self) -> int:
        """How much of its surroundings a tile needs besides the network's halo."""
        return VOTE_MARGIN_PX if self._card.neighbours_vote_below else 0

    def _finished(
        self, items: Iterator[TileScores | None], n_slices: int, padded: tuple[int, int]
    ) -> Iterator[TileScores | None]:
        """Make of the evaluator's logits what the card says scores are."""
        cooled = (self._cooled(item) for item in self._guarded(items))
        below = self._card.neighbours_vote_below
        return vote_within(cooled, below, n_slices, padded) if below else cooled

    def _cooled(self, item: TileScores | None) -> TileScores | None:
        """Divide logits by the temperature of the weights."""
        if item is None or self._card.temperature == 1:
            return item
        scores = item.scores * np.float32(1 / self._card.temperature)
        return replace(item, scores=scores)

    @property
    def notes(self) -> list[str]:
        """How scoring went on after the GPU's memory had run out."""
        return self._evaluator.notes

    def describe(self) -> Mapping[str, object]:
        """Name weights and device."""
        card, last = self._card, self._evaluator.device
        return {
            "weights": {
                "name": card.name,
                "version": card.version,
                "sha256": card.sha256,
                "temperature": card.temperature,
                "neighbours_vote_below": card.neighbours_vote_below,
                "source_sha256": card.source_sha256,
                "license": card.license,
                "source": card.source,
            },
            "device": str(last) if last == self._device else f"{self._device}, then {last}",
        }


class StackMFFV4Window:
    """The coarse maps of a window, from which small parts are scored; see `KeptWindow`.

    Parameters
    ----------
    engine : StackMFFV4Engine
        Scores the parts.
    n_slices, shape_yx
        As for `FocusEngine.iter_scores`.

    Attributes
    ----------
    n_bytes : int
        Size of the maps.
    """

    def __init__(self, engine: StackMFFV4Engine, n_slices: int, shape_yx: tuple[int, int]) -> None:
        self._engine = engine
        self._n_slices = n_slices
        self._shape_yx = shape_yx
        self._padded = padded_shape(shape_yx)
        self._room = ExitStack()
        height, width = self._padded
        map_shape = (n_slices, height // 4, width // 4, QUARTER_CHANNELS)
        limit_mb = engine._options.memory_limit_mb
        self.n_bytes = 4 * math.prod(map_shape)
        self._coarse = self._room.enter_context(coarse_maps(map_shape, limit_mb))

    def prepare(self, read_slice: ReadSlice) -> Iterator[None]:
        """Fill the coarse maps, one step for each slice."""
        reader = _padded_reader(read_slice, self._padded)
        evaluator = self._engine._evaluator
        yield from self._engine._guarded(
            evaluator.iter_coarse(reader, self._n_slices, self._coarse)
        )

    def scores(self, part: Box) -> NDArray[np.float32]:
        """Return the scores (N, h, w) of a part; those of a run, up to rounding."""
        scores = np.empty((self._n_slices, *part.shape), np.float32)
        for item in self._iter_finished(part, KEPT_TILE_PX):
            common = None if item is None else item.tile.intersection(part)
            if item is not None and common is not None:
                there = common.shifted(-part.y0, -part.x0).slices
                here = common.shifted(-item.tile.y0, -item.tile.x0).slices
                scores[(item.slice_index, *there)] = item.scores[here]
        return scores

    def iter_scores(self, within: Box) -> Iterator[TileScores | None]:
        """Score the tiles of a run that meet a part."""
        for item in self._iter_finished(within):
            yield _within_image(item, self._shape_yx)

    def _iter_finished(
        self, within: Box, tile_px: int | None = None
    ) -> Iterator[TileScores | None]:
        engine, n_slices = self._engine, self._n_slices
        items = engine._evaluator.iter_fine(
            n_slices,
            self._padded,
            self._coarse,
            within=within,
            tile_px=tile_px,
            margin_px=engine._margin_px,
        )
        return engine._finished(items, n_slices, self._padded)

    def close(self) -> None:
        """Give back the room of the coarse maps."""
        self._room.close()


def _padded_reader(read_slice: ReadSlice, shape_yx: tuple[int, int]) -> ReadSlice:
    return lambda k: padded_plane(np.clip(read_slice(k), *_OUTLIER_LIMITS), shape_yx)


def _fine_tiles(n_slices: int, shape_yx: tuple[int, int]) -> list[Box]:
    """Return the fine tiles of a window that hold more than padding."""
    image = whole(shape_yx)
    fine_tiles = tiles(padded_shape(shape_yx), fine_tile_px(n_slices))
    return [tile for tile in fine_tiles if tile.intersection(image)]


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


def _within_image(item: TileScores | None, shape_yx: tuple[int, int]) -> TileScores | None:
    """Cut the padding off a tile; a tile of padding alone becomes a plain step."""
    if item is None:
        return None
    visible = item.tile.intersection(whole(shape_yx))
    if visible is None or visible == item.tile:
        return item if visible else None
    local = visible.shifted(-item.tile.y0, -item.tile.x0)
    return TileScores(item.slice_index, visible, cropped(item.scores, local))
