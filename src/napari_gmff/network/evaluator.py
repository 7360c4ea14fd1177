"""StackMFF V4 on one window in bounded memory: coarse maps slice by slice, then fine tiles.

Only two things in the network look further than a few pixels: the bottleneck with its
squeeze-excite means, which ends in 24 channels at a quarter of the resolution (1.5 floats per
pixel), and the cross-slice exchange, which is local in space. So each slice is first brought to
its quarter-resolution map over the *whole* window, and the costly full-resolution part is then
done in fine tiles through all slices. Tile coordinates are the window's, so the result is that of
the whole window at once, up to rounding.

Two measures keep the processor busy rather than the allocator: local operations run in strips
whose activations stay in its cache (a fresh full-resolution tensor costs more than computing it),
and feature maps live channels-last in one buffer that is reused for every tile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_gmff.network.folding import folded
from napari_gmff.network.interpolation import add_raised, row_weights
from napari_gmff.network.stackmff_v4 import (
    FEATURES,
    POOL_PX,
    CrossSliceAttention,
    StackMFFV4,
    run_whole,
)
from napari_gmff.scores import ReadSlice, TileScores
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_gmff.network.coarse_maps import CoarseMaps

QUARTER_CHANNELS = 24
FINE_HALO_PX = 20
"""Reach of what follows the decoder: two exchanges (8 px each) and a 7x7 filter (3 px)."""

_QUARTER_HALO = 3
"""Reach of the decoder, in quarter-resolution pixels."""

_STRIP_FLOATS = 1 << 21
"""Widest activation of a strip of local operations: 8 MB, so that it stays in the cache."""

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


class StackMFFV4Evaluator:
    """Scores windows with a StackMFF V4 model.

    Parameters
    ----------
    model : StackMFFV4
        Trained network; copied and folded.
    device : torch.device
        Where to compute, in float32.
    """

    def __init__(self, model: StackMFFV4, device: torch.device) -> None:
        self.device = device
        net = folded(model).to(device)
        # torch's type hints leave this keyword out.
        self._net: StackMFFV4 = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def iter_scores(
        self,
        read_slice: ReadSlice,
        n_slices: int,
        shape_yx: tuple[int, int],
        coarse: CoarseMaps,
        *,
        within: Box | None = None,
        tile_px: int | None = None,
    ) -> Iterator[TileScores | None]:
        """Yield the scores of all slices, tile by tile, slices in order within a tile.

        Parameters
        ----------
        read_slice : callable
            Returns slice k as (H, W) float32, read once per slice.
        n_slices : int
            Number of slices, at least 1.
        shape_yx : tuple of int
            H and W, multiples of 128.
        coarse : CoarseMaps
            Storage for N maps.
        within : Box, optional
            Leave out fine tiles that do not meet this part of the window.
        tile_px : int, optional
            Side of fine tiles, a multiple of 4; by default from the number of slices.

        Yields
        ------
        TileScores or None
            None after each step of work that gives no scores, so that a run can be stopped there.
        """
        # The mode is the thread's, so it must not last across a yield.
        for k in range(n_slices):
            plane = read_slice(k)
            with torch.inference_mode():
                coarse[k] = self._coarse_map(plane)
            yield None
        side = tile_px or fine_tile_px(n_slices)
        buffer = self._new_buffer(n_slices, side, shape_yx)
        for tile in tiles(shape_yx, side):
            if within is None or tile.intersection(within):
                yield from self._iter_tile(tile, n_slices, shape_yx, coarse, buffer)

    def _new_buffer(self, n_slices: int, tile_px: int, shape_yx: tuple[int, int]) -> Tensor:
        """Make room for the features of the largest tile; fresh memory for each would be slow."""
        height, width = (min(tile_px + 2 * FINE_HALO_PX, side) for side in shape_yx)
        return torch.empty(n_slices * height * width * FEATURES, device=self.device)

    def _coarse_map(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a slice (H, W) to the decoder's map (H/4, W/4, 24), over the whole window."""
        x = torch.from_numpy(plane).to(self.device)[None, None]
        # Strips serve the processor's cache; a GPU would only wait between them.
        run_local = run_in_strips if self.device.type == "cpu" else run_whole
        deep = self._net.backbone.deepen(x, run_local)
        result: NDArray[np.float32] = deep[0].permute(1, 2, 0).contiguous().cpu().numpy()
        return result

    def _iter_tile(
        self,
        tile: Box,
        n_slices: int,
        shape_yx: tuple[int, int],
        coarse: CoarseMaps,
        buffer: Tensor,
    ) -> Iterator[TileScores | None]:
        h, w = shape_yx
        halo = FINE_HALO_PX
        grown = Box(
            max(tile.y0 - halo, 0),
            min(tile.y1 + halo, h),
            max(tile.x0 - halo, 0),
            min(tile.x1 + halo, w),
        )
        rows = row_weights(grown.y0, grown.y1, h, self.device)
        columns = row_weights(grown.x0, grown.x1, w, self.device)
        shape = (n_slices, *grown.shape, FEATURES)
        features = buffer[: math.prod(shape)].view(shape)
        with torch.inference_mode():
            tokens = self._new_tokens(n_slices, grown)
        for k in range(n_slices):
            with torch.inference_mode():
                self._decode(coarse[k], grown, shape_yx, out=features[k])
                tokens[:, :, k] = _pooled(features[k])
            yield None
        with torch.inference_mode():
            self._exchange(self._net.exchange1, tokens)
        for k in range(n_slices):
            with torch.inference_mode():
                # The identity enters twice: once in the exchange, once beside it.
                add_raised(features[k], tokens[:, :, k], rows, columns, identity=2.0)
                self._refine(features[k])
                tokens[:, :, k] = _pooled(features[k])
            yield None
        with torch.inference_mode():
            self._exchange(self._net.exchange2, tokens)
        inner = tile.shifted(-grown.y0, -grown.x0)
        for k in range(n_slices):
            with torch.inference_mode():
                add_raised(features[k], tokens[:, :, k], rows, columns, identity=1.0)
                best = features[k][inner.slices].amax(-1)
                scores: NDArray[np.float32] = best.cpu().numpy()
            yield TileScores(k, tile, scores)

    def _new_tokens(self, n_slices: int, grown: Box) -> Tensor:
        h, w = grown.shape
        return torch.empty((h // POOL_PX, w // POOL_PX, n_slices, FEATURES), device=self.device)

    def _decode(
        self, coarse_map: NDArray[np.float32], grown: Box, shape_yx: tuple[int, int], out: Tensor
    ) -> None:
        """Decode part of a coarse map into `out`, (h, w, 8), exact up to the part's edges."""
        width = shape_yx[1] // 4
        x0, x1 = grown.x0 // 4, grown.x1 // 4
        left, right = max(x0 - _QUARTER_HALO, 0), min(x1 + _QUARTER_HALO, width)
        start, stop = grown.y0 // 4, grown.y1 // 4
        for y0, y1, top, bottom in _strips(start, stop, shape_yx[0] // 4, 4 * (right - left)):
            part = torch.from_numpy(coarse_map[top:bottom, left:right]).to(self.device)
            full = self._net.backbone.decode(part.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
            rows = slice(4 * (y0 - top), 4 * (y1 - top))
            columns = slice(4 * (x0 - left), 4 * (x1 - left))
            out[4 * (y0 - start) : 4 * (y1 - start)] = full[rows, columns]

    def _refine(self, features: Tensor) -> None:
        """Add the refiner's output to features (h, w, 8), in place."""
        x = features.permute(2, 0, 1)[None]
        features += self._net.refiner(x)[0].permute(1, 2, 0)

    def _exchange(self, exchange: CrossSliceAttention, tokens: Tensor) -> None:
        """Replace tokens (h/4, w/4, N, 8) by what the transformer makes of them, in place."""
        n_slices = tokens.shape[2]
        flat = tokens.view(-1, n_slices, FEATURES)
        chunk = max(1, _EXCHANGE_SCORES // (4 * n_slices * n_slices))
        for start in range(0, len(flat), chunk):
            flat[start : start + chunk] = exchange.transformer(flat[start : start + chunk])


def _pooled(features: Tensor) -> Tensor:
    """Average (h, w, 8) over cells of 4x4, to (h/4, w/4, 8)."""
    return F.avg_pool2d(features.permute(2, 0, 1)[None], POOL_PX)[0].permute(1, 2, 0)


def run_in_strips(
    step: Callable[[Tensor], Tensor], x: Tensor, stride: int, floats_per_px: int
) -> Tensor:
    """Run a local step strip by strip; see `RunLocal`. Equals the whole up to rounding."""
    height, width = x.shape[-2:]
    halo = 2 * stride
    rows = max(4 * stride, _STRIP_FLOATS // (floats_per_px * width) // stride * stride)
    out: Tensor | None = None
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        top, bottom = max(start - halo, 0), min(stop + halo, height)
        part = step(x[:, :, top:bottom])
        if out is None:
            shape = (len(x), part.shape[1], height // stride, part.shape[3])
            out = torch.empty(shape, device=x.device, memory_format=torch.channels_last)
        first = (start - top) // stride
        count = (stop - start) // stride
        out[:, :, start // stride : stop // stride] = part[:, :, first : first + count]
    assert out is not None
    return out


def _strips(
    start: int, stop: int, height: int, width_px: int
) -> Iterator[tuple[int, int, int, int]]:
    """Cut quarter-resolution rows into strips (start, stop, and both grown by the halo)."""
    rows = max(8, _STRIP_FLOATS // (DECODER_FLOATS_PER_PX * 16) // (width_px // 4))
    for y0 in range(start, stop, rows):
        y1 = min(y0 + rows, stop)
        yield y0, y1, max(y0 - _QUARTER_HALO, 0), min(y1 + _QUARTER_HALO, height)
