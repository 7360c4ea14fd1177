"""`stackmff-v4`: the network, padded to its size multiple and run in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from napari_gmff.engines.base import EngineOptions, RangeRule, SmoothingRule, cropped, whole
from napari_gmff.engines.stackmff_window import ScoredWindow, WindowPlan
from napari_gmff.errors import DeviceError
from napari_gmff.network.checkpoint import load_model
from napari_gmff.network.devices import pick_device, torch_scope
from napari_gmff.network.evaluator import StackMFFV4Evaluator
from napari_gmff.network.memory_ladder import is_lack_of_memory
from napari_gmff.network.stackmff_v4 import ARCHITECTURE
from napari_gmff.scores import ReadSlice, ScoreKind, TileScores
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.shipped_models import SHIPPED_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_gmff.windows import Box

DEFAULT_WEIGHTS = SHIPPED_NAME

KEPT_TILE_PX = 16
"""Side of the fine tiles of a kept window: less than their halo, and so quick."""

_Item = TypeVar("_Item")


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
        """One step for each slice's coarse maps, and those of the fine tiles."""
        return WindowPlan.of(self._card, n_slices, shape_yx).n_steps()

    @staticmethod
    def work_ns(n_slices: int, shape_yx: tuple[int, int]) -> float:
        """Count the work as the package's own weights cause it: with a vote and a second look."""
        plan = WindowPlan(n_slices, shape_yx, neighbours_vote_below=1, half_resolution_weight=1)
        return plan.work_ns()

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
        window = self.keep_window(n_slices, shape_yx)
        try:
            yield from window.prepare(read_slice)
            yield from window.iter_scores(within or whole(shape_yx))
        finally:
            window.close()

    def keep_window(self, n_slices: int, shape_yx: tuple[int, int]) -> StackMFFV4Window:
        """Make room for a window whose coarse maps are kept; see `KeepsWindows`."""
        plan = WindowPlan.of(self._card, n_slices, shape_yx)
        scored = ScoredWindow(self._evaluator, plan, self._options.memory_limit_mb)
        return StackMFFV4Window(scored, n_slices, shape_yx, self._guarded)

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
                "half_resolution_weight": card.half_resolution_weight,
                "source_sha256": card.source_sha256,
                "license": card.license,
                "source": card.source,
            },
            "device": str(last) if last == self._device else f"{self._device}, then {last}",
        }


class StackMFFV4Window:
    """A window whose coarse maps are kept, and small parts of it; see `KeptWindow`.

    Parameters
    ----------
    scored : ScoredWindow
        Has the maps.
    n_slices, shape_yx
        As for `FocusEngine.iter_scores`.
    guarded : callable
        Wraps steps of the network.

    Attributes
    ----------
    n_bytes : int
        Size of the maps.
    """

    def __init__(
        self,
        scored: ScoredWindow,
        n_slices: int,
        shape_yx: tuple[int, int],
        guarded: Callable[[Iterator[_Item]], Iterator[_Item]],
    ) -> None:
        self._scored = scored
        self._n_slices = n_slices
        self._shape_yx = shape_yx
        self._guarded: Callable[[Iterator[Any]], Iterator[Any]] = guarded
        self.n_bytes = scored.n_bytes

    def prepare(self, read_slice: ReadSlice) -> Iterator[None]:
        """Fill the coarse maps, one step for each slice."""
        return self._guarded(self._scored.iter_coarse(read_slice))

    def scores(self, part: Box) -> NDArray[np.float32]:
        """Return the scores (N, h, w) of a part; those of a run, up to rounding."""
        scores = np.empty((self._n_slices, *part.shape), np.float32)
        for item in self._guarded(self._scored.iter_fine(part, KEPT_TILE_PX)):
            common = None if item is None else item.tile.intersection(part)
            if item is not None and common is not None:
                there = common.shifted(-part.y0, -part.x0).slices
                here = common.shifted(-item.tile.y0, -item.tile.x0).slices
                scores[(item.slice_index, *there)] = item.scores[here]
        return scores

    def iter_scores(self, within: Box) -> Iterator[TileScores | None]:
        """Score the tiles of a run that meet a part."""
        for item in self._guarded(self._scored.iter_fine(within)):
            yield _within_image(item, self._shape_yx)

    def close(self) -> None:
        """Give back the room of the coarse maps."""
        self._scored.close()


def _within_image(item: TileScores | None, shape_yx: tuple[int, int]) -> TileScores | None:
    """Cut the padding off a tile; a tile of padding alone becomes a plain step."""
    if item is None:
        return None
    visible = item.tile.intersection(whole(shape_yx))
    if visible is None or visible == item.tile:
        return item if visible else None
    local = visible.shifted(-item.tile.y0, -item.tile.x0)
    return TileScores(item.slice_index, visible, cropped(item.scores, local))
