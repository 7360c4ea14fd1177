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

Where a GPU's memory does not suffice, the slice or tile that failed is done again with less at
once (see `memory_ladder`), and all that follow with it. Tiles stay as they are for the receiver:
parts of a tile are put together before its scores are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from napari_gmff.network.fine_tiles import FineTiles, fine_tile_px
from napari_gmff.network.folding import folded
from napari_gmff.network.memory_ladder import MemoryLadder, Rung, free_cached_memory, rungs_of
from napari_gmff.network.stackmff_v4 import StackMFFV4, run_whole
from napari_gmff.network.strips import run_in_strips
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_gmff.network.coarse_maps import CoarseMaps
    from napari_gmff.scores import ReadSlice, TileScores

QUARTER_CHANNELS = 24


class StackMFFV4Evaluator:
    """Scores windows with a StackMFF V4 model.

    Parameters
    ----------
    model : StackMFFV4
        Trained network; copied and folded.
    device : torch.device
        Where to compute, in float32.
    ladder : sequence of Rung, optional
        What is tried where memory does not suffice; `rungs_of` the device where left out.
    """

    def __init__(
        self, model: StackMFFV4, device: torch.device, ladder: Sequence[Rung] | None = None
    ) -> None:
        self._ladder = MemoryLadder(rungs_of(device) if ladder is None else ladder)
        # torch's type hints leave this keyword out.
        self._net: StackMFFV4 = (
            folded(model).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        )

    @property
    def device(self) -> torch.device:
        """What computes now; the CPU after a GPU's memory did not suffice at all."""
        return self._ladder.rung.device

    @property
    def notes(self) -> list[str]:
        """How it went on after memory had run out, in words for the user."""
        return self._ladder.notes

    def iter_scores(
        self,
        read_slice: ReadSlice,
        n_slices: int,
        shape_yx: tuple[int, int],
        coarse: CoarseMaps,
        *,
        within: Box | None = None,
        tile_px: int | None = None,
        margin_px: int = 0,
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
        margin_px : int
            Each tile is grown by this on all sides, a multiple of 4, as far as the window
            reaches; tiles then overlap.

        Yields
        ------
        TileScores or None
            None after each step of work that gives no scores, so that a run can be stopped there.
        """
        yield from self.iter_coarse(read_slice, n_slices, coarse)
        yield from self.iter_fine(
            n_slices, shape_yx, coarse, within=within, tile_px=tile_px, margin_px=margin_px
        )

    def iter_coarse(
        self, read_slice: ReadSlice, n_slices: int, coarse: CoarseMaps
    ) -> Iterator[None]:
        """Do the first half of `iter_scores`: fill the coarse maps, one step for each slice."""
        for k in range(n_slices):
            coarse[k] = self.coarse_map(read_slice(k))
            yield None

    def iter_fine(
        self,
        n_slices: int,
        shape_yx: tuple[int, int],
        coarse: CoarseMaps,
        *,
        within: Box | None = None,
        tile_px: int | None = None,
        margin_px: int = 0,
    ) -> Iterator[TileScores | None]:
        """Do the second half of `iter_scores`, as often as wanted: tiles from coarse maps."""
        side = tile_px or fine_tile_px(n_slices)
        fine = self.fine_tiles(n_slices, shape_yx, coarse, side + 2 * margin_px)
        for tile in tiles(shape_yx, side):
            if within is None or tile.intersection(within):
                yield from self.iter_tile(tile.grown(margin_px, shape_yx), fine)

    def fine_tiles(
        self, n_slices: int, shape_yx: tuple[int, int], coarse: CoarseMaps, largest_px: int
    ) -> FineTiles:
        """Make ready to score tiles of a window whose coarse maps are filled.

        Parameters
        ----------
        n_slices, shape_yx, coarse
            As for `iter_scores`.
        largest_px : int
            Side of the largest tile that will be asked for.
        """
        return FineTiles(self._net, self._ladder.rung, n_slices, shape_yx, coarse, largest_px)

    def coarse_map(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a slice (H, W) to its coarse map (H/4, W/4, 24), however little memory there is.

        H and W are multiples of 128.
        """
        while True:
            try:
                coarse = self._coarse_map(plane)
            except RuntimeError as error:
                if not self._ladder.can_step_down(error, None):
                    raise
            else:
                self._ladder.tell()
                return coarse
            # Not in the handler: the error's frames hold on to the memory.
            self._spare(None)

    def iter_tile(self, tile: Box, fine: FineTiles) -> Iterator[TileScores | None]:
        """Yield a tile's scores, each slice once, however often the work is done again.

        Parameters
        ----------
        tile : Box
            In pixels of the window; all sides multiples of 4.
        fine : FineTiles
            As `fine_tiles` made it.
        """
        given = 0
        fine.compute_by(self._ladder.rung)  # other tiles may have used up the memory meanwhile
        while True:
            try:
                for item in fine.iter_tile(tile):
                    self._ladder.tell()
                    if item is None or item.slice_index < given:
                        yield None
                    else:
                        given += 1
                        yield item
            except RuntimeError as error:
                if not self._ladder.can_step_down(error, fine.tile_px):
                    raise
            else:
                return
            fine.free()
            self._spare(fine.tile_px)
            fine.compute_by(self._ladder.rung)

    def _spare(self, tile_px: int | None) -> None:
        """Go on with less at once."""
        before = self.device
        self._ladder.step_down(tile_px)
        if self.device != before:
            self._net.to(self.device)
        free_cached_memory(before)

    def _coarse_map(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a slice (H, W) to the decoder's map (H/4, W/4, 24), over the whole window."""
        # Strips serve the processor's cache; a GPU would only wait between them, if it has room.
        in_strips = self.device.type == "cpu" or not self._ladder.rung.holds_all_slices
        # The mode is the thread's, so it must not last across a yield.
        with torch.inference_mode():
            x = torch.from_numpy(plane).to(self.device)[None, None]
            deep = self._net.backbone.deepen(x, run_in_strips if in_strips else run_whole)
            result: NDArray[np.float32] = deep[0].permute(1, 2, 0).contiguous().cpu().numpy()
        return result
