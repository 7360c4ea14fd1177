"""Fine tiles of a window: from coarse maps to the scores of all slices, at full resolution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_gmff.network.interpolation import add_raised, row_weights
from napari_gmff.network.stackmff_v4 import (
    FEATURES,
    POOL_PX,
    CrossSliceAttention,
    StackMFFV4,
)
from napari_gmff.network.strips import decoder_strips
from napari_gmff.scores import TileScores
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.network.coarse_maps import CoarseMaps
    from napari_gmff.network.memory_ladder import Rung

FINE_HALO_PX = 20
"""Reach of what follows the decoder: two exchanges (8 px each) and a 7x7 filter (3 px)."""

_QUARTER_HALO = 3
"""Reach of the decoder, in quarter-resolution pixels."""

DECODER_FLOATS_PER_PX = 16
"""Widest activation of the decoder per full-resolution pixel."""

_FEATURE_BYTES = 320 << 20
"""Aim for the feature buffer of one fine tile through all slices."""

_EXCHANGE_SCORES = 1 << 22
"""Attention scores (positions x heads x N x N) computed at once."""


def fine_tile_px(n_slices: int) -> int:
    """Return the side of fine tiles; depends on the number of slices alone."""
    for tile_px in (512, 256, 128):
        if n_slices * FEATURES * 4 * (tile_px + 2 * FINE_HALO_PX) ** 2 <= _FEATURE_BYTES:
            return tile_px
    return 64


def n_tile_steps(n_slices: int, tile: Box, shape_yx: tuple[int, int]) -> int:
    """Count the items that scoring a fine tile yields where memory suffices."""
    height, width = grown_tile(tile, shape_yx).shape
    positions = (height // POOL_PX) * (width // POOL_PX)
    return 3 * n_slices + 2 * -(-positions // _exchange_chunk(n_slices))


def grown_tile(tile: Box, shape_yx: tuple[int, int]) -> Box:
    """Return a fine tile with its halo, as far as the window reaches."""
    return tile.grown(FINE_HALO_PX, shape_yx)


def _exchange_chunk(n_slices: int, rung: Rung | None = None) -> int:
    """Return how many positions exchange at once."""
    is_sparing = rung is not None and not rung.holds_all_slices
    most = _EXCHANGE_SCORES // 8 if is_sparing else _EXCHANGE_SCORES
    return max(1, most // (4 * n_slices * n_slices))


class FineTiles:
    """Scores the fine tiles of one window.

    Parameters
    ----------
    net : StackMFFV4
        Folded, where the rung computes.
    rung : Rung
        How much is held at once.
    n_slices, shape_yx, coarse, tile_px
        As for `StackMFFV4Evaluator.iter_scores`.

    Attributes
    ----------
    tile_px : int
        Side of the largest tile.
    """

    def __init__(
        self,
        net: StackMFFV4,
        rung: Rung,
        n_slices: int,
        shape_yx: tuple[int, int],
        coarse: CoarseMaps,
        tile_px: int,
    ) -> None:
        self._net = net
        self.rung = rung
        self._n_slices = n_slices
        self._shape_yx = shape_yx
        self._coarse = coarse
        self.tile_px = tile_px
        # Room for the features of the largest tile: fresh memory for each would be slow.
        self._buffer: Tensor | None = None

    def compute_by(self, rung: Rung) -> None:
        """Go on with another rung, where it is another one."""
        if rung != self.rung:
            self.free()
            self.rung = rung

    def free(self) -> None:
        """Give the room for features back, to go on with another rung."""
        self._buffer = None

    def iter_tile(self, tile: Box) -> Iterator[TileScores | None]:
        """Score a tile as a whole or part by part; see `StackMFFV4Evaluator.iter_scores`."""
        part_px = self.rung.part_px
        if part_px is None or part_px >= self.tile_px:
            yield from self._iter_whole(tile)
            return
        scores = np.empty((self._n_slices, *tile.shape), np.float32)
        for part in tiles(tile.shape, part_px):
            for item in self._iter_whole(part.shifted(tile.y0, tile.x0)):
                if item is not None:
                    scores[(item.slice_index, *part.slices)] = item.scores
                yield None
        for k in range(self._n_slices):
            yield TileScores(k, tile, scores[k].copy())

    def _iter_whole(self, tile: Box) -> Iterator[TileScores | None]:
        n_slices, (h, w) = self._n_slices, self._shape_yx
        outer = grown_tile(tile, self._shape_yx)
        rows = row_weights(outer.y0, outer.y1, h, self.rung.device)
        columns = row_weights(outer.x0, outer.x1, w, self.rung.device)
        shape = (n_slices, *outer.shape, FEATURES)
        kept = self._room()[: math.prod(shape)].view(shape)
        with torch.inference_mode():
            tokens = self._new_tokens(outer)
        for k in range(n_slices):
            with torch.inference_mode(), self._at_hand(kept[k]) as features:
                self._decode(self._coarse[k], outer, out=features)
                tokens[:, :, k] = _pooled(features)
            yield None
        yield from self._exchange(self._net.exchange1, tokens)
        for k in range(n_slices):
            with torch.inference_mode(), self._at_hand(kept[k]) as features:
                # The identity enters twice: once in the exchange, once beside it.
                add_raised(features, tokens[:, :, k], rows, columns, identity=2.0)
                self._refine(features)
                tokens[:, :, k] = _pooled(features)
            yield None
        yield from self._exchange(self._net.exchange2, tokens)
        inner = tile.shifted(-outer.y0, -outer.x0)
        for k in range(n_slices):
            with torch.inference_mode(), self._at_hand(kept[k]) as features:
                add_raised(features, tokens[:, :, k], rows, columns, identity=1.0)
                best = features[inner.slices].amax(-1)
                scores: NDArray[np.float32] = best.cpu().numpy()
            yield TileScores(k, tile, scores)

    def _room(self) -> Tensor:
        """Return room for the features of all slices of a tile, or of a part if it has parts."""
        if self._buffer is None:
            side = min(self.rung.part_px or self.tile_px, self.tile_px) + 2 * FINE_HALO_PX
            height, width = (min(side, length) for length in self._shape_yx)
            where = self.rung.device if self.rung.holds_all_slices else "cpu"
            self._buffer = torch.empty(self._n_slices * height * width * FEATURES, device=where)
        return self._buffer

    @contextmanager
    def _at_hand(self, kept: Tensor) -> Iterator[Tensor]:
        """Give the features (h, w, 8) of a slice in the device's memory, to be changed in place."""
        if self.rung.holds_all_slices:
            yield kept
            return
        features = kept.to(self.rung.device, copy=True)
        yield features
        kept.copy_(features)

    def _new_tokens(self, outer: Box) -> Tensor:
        cells = (side // POOL_PX for side in outer.shape)
        return torch.empty((*cells, self._n_slices, FEATURES), device=self.rung.device)

    def _decode(self, coarse_map: NDArray[np.float32], outer: Box, out: Tensor) -> None:
        """Decode part of a coarse map into `out`, (h, w, 8), exact up to the part's edges."""
        height, width = (side // 4 for side in self._shape_yx)
        x0, x1 = outer.x0 // 4, outer.x1 // 4
        left, right = max(x0 - _QUARTER_HALO, 0), min(x1 + _QUARTER_HALO, width)
        start, stop = outer.y0 // 4, outer.y1 // 4
        floats_per_row = DECODER_FLOATS_PER_PX * 16 * (right - left)
        strips = decoder_strips(start, stop, height, _QUARTER_HALO, floats_per_row)
        for y0, y1, top, bottom in strips:
            part = torch.from_numpy(coarse_map[top:bottom, left:right]).to(self.rung.device)
            full = self._net.backbone.decode(part.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
            rows = slice(4 * (y0 - top), 4 * (y1 - top))
            columns = slice(4 * (x0 - left), 4 * (x1 - left))
            out[4 * (y0 - start) : 4 * (y1 - start)] = full[rows, columns]

    def _refine(self, features: Tensor) -> None:
        """Add the refiner's output to features (h, w, 8), in place."""
        x = features.permute(2, 0, 1)[None]
        features += self._net.refiner(x)[0].permute(1, 2, 0)

    def _exchange(self, exchange: CrossSliceAttention, tokens: Tensor) -> Iterator[None]:
        """Replace tokens (h/4, w/4, N, 8) by what the transformer makes of them, in place.

        Yields after each chunk: with many slices all of them take seconds.
        """
        n_slices = tokens.shape[2]
        flat = tokens.view(-1, n_slices, FEATURES)
        chunk = _exchange_chunk(n_slices, self.rung)
        for start in range(0, len(flat), chunk):
            with torch.inference_mode():
                flat[start : start + chunk] = exchange.transformer(flat[start : start + chunk])
            yield None


def _pooled(features: Tensor) -> Tensor:
    """Average (h, w, 8) over cells of 4x4, to (h/4, w/4, 8)."""
    return F.avg_pool2d(features.permute(2, 0, 1)[None], POOL_PX)[0].permute(1, 2, 0)
