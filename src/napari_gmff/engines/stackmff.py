"""`stackmff-v4`: the network, padded to its size multiple and run in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_gmff.engines.base import EngineOptions, RangeRule, SmoothingRule, cropped, whole
from napari_gmff.errors import DeviceError
from napari_gmff.network.checkpoint import load_model
from napari_gmff.network.coarse_maps import coarse_maps
from napari_gmff.network.devices import pick_device, torch_scope
from napari_gmff.network.evaluator import QUARTER_CHANNELS, StackMFFV4Evaluator, fine_tile_px
from napari_gmff.network.stackmff_v4 import ARCHITECTURE, SIZE_MULTIPLE_PX
from napari_gmff.scores import ReadSlice, ScoreKind, TileScores
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.shipped_models import SHIPPED_NAME
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

DEFAULT_WEIGHTS = SHIPPED_NAME

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
        """One coarse step and, for each fine tile, three steps for each slice."""
        fine_tiles = tiles(padded_shape(shape_yx), fine_tile_px(n_slices))
        image = whole(shape_yx)
        n_tiles = sum(tile.intersection(image) is not None for tile in fine_tiles)
        return n_slices * (1 + 3 * n_tiles)

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
                lambda k: padded_plane(np.clip(read_slice(k), *_OUTLIER_LIMITS), padded),
                n_slices,
                padded,
                coarse,
                within=within or whole(shape_yx),
            )
            while True:
                # Settings are the process's, so they must not outlive a step: between two
                # items other code runs, a napari window for example.
                try:
                    with torch_scope(self._options.threads):
                        item = next(items)
                except StopIteration:
                    return
                except MemoryError as error:
                    raise DeviceError(f"{self._device}: out of memory ({error})") from error
                except RuntimeError as error:
                    if "out of memory" in str(error) or "can't allocate" in str(error):
                        raise DeviceError(f"{self._device}: out of memory ({error})") from error
                    raise
                yield self._cooled(_within_image(item, shape_yx))

    def _cooled(self, item: TileScores | None) -> TileScores | None:
        """Divide logits by the temperature of the weights."""
        if item is None or self._card.temperature == 1:
            return item
        scores = item.scores * np.float32(1 / self._card.temperature)
        return replace(item, scores=scores)

    def describe(self) -> Mapping[str, object]:
        """Name weights and device."""
        card = self._card
        return {
            "weights": {
                "name": card.name,
                "version": card.version,
                "sha256": card.sha256,
                "temperature": card.temperature,
                "source_sha256": card.source_sha256,
                "license": card.license,
                "source": card.source,
            },
            "device": str(self._device),
        }


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
