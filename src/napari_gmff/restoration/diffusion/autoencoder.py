"""Images to latent images and back, in tiles where an image is larger than one.

Only the attention in the middle of each half looks at the whole image. It works on latent
pixels, of which there are few, so it is given all of them at once. What stands between it and the
pixels are convolutions and group norms: done in tiles that are grown by what convolutions reach,
and whose norms share their statistics, these give what the whole would. Statistics come from a few
tiles at once; of large images they are those of a sample, the same for all, so no seams show.

Always in float32: float16 can give NaN on large images, and bfloat16 has fewer levels than a
16-bit image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Tensor

from napari_gmff.restoration.diffusion.shared_norms import SharedNorms
from napari_gmff.restoration.diffusion.tiling import spread
from napari_gmff.windows import Box, tiles

TILE_PX = 256
"""Decoding a tile of 512 px takes 2 to 3 GB."""

N_SAMPLES = 8
"""Tiles in a batch from which norms are measured."""

N_BATCHES = 4
"""Batches from which norms are measured, at most."""


class TiledAutoencoder:
    """diffusers' ``AutoencoderKL`` for any size.

    Parameters
    ----------
    network : AutoencoderKL
        On the device, in float32.
    latent_scale : float
        See `Networks`.

    Attributes
    ----------
    factor : int
        Pixels of the image to one of the latent image, along an axis.
    """

    def __init__(self, network: Any, latent_scale: float) -> None:
        self._network = network
        self._latent_scale = latent_scale
        self.factor = 2 ** (len(network.config.block_out_channels) - 1)

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(iter(self._network.parameters())).device
        return device

    def encode(
        self, image: Tensor, tile_px: int = TILE_PX, n_samples: int = N_SAMPLES
    ) -> Generator[None, None, Tensor]:
        """Encode an image: the mode of the posterior, scaled.

        Parameters
        ----------
        image : Tensor, (3, H, W), float32
            From 0 to 1, in the computer's memory; sides are multiples of `factor`.
        tile_px : int
            Side of tiles in pixels, their halo included; a multiple of 64.
        n_samples : int
            Tiles in a batch from which norms are measured. An image of no more pixels than half of
            them is done whole.

        Yields
        ------
        None
            After each tile.

        Returns
        -------
        Tensor, (4, H / factor, W / factor), float32
            On the network's device.
        """
        encoder = self._network.encoder

        def narrowed(pixels: Tensor) -> Tensor:
            x: Tensor = encoder.conv_in(2 * pixels - 1)
            for block in encoder.down_blocks:
                x = block(x)
            return x

        def cut(box: Box) -> Tensor:
            return image[(slice(None), *_scaled(box, self.factor).slices)].to(self._device)

        n_channels = encoder.mid_block.resnets[0].in_channels
        shape_yx = image.shape[1] // self.factor, image.shape[2] // self.factor
        whole = torch.empty((n_channels, *shape_yx), device=self._device)
        yield from self._in_tiles(encoder.down_blocks, narrowed, cut, whole, 1, tile_px, n_samples)
        x = encoder.mid_block(whole[None])
        moments: Tensor = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(x)))
        if self._network.quant_conv is not None:
            moments = self._network.quant_conv(moments)
        mode = moments[0].chunk(2)[0]
        return mode * self._latent_scale

    def decode(
        self, latent: Tensor, tile_px: int = TILE_PX, n_samples: int = N_SAMPLES
    ) -> Generator[None, None, Tensor]:
        """Decode a latent image.

        Parameters
        ----------
        latent : Tensor, (4, h, w), float32
            As from `encode`.
        tile_px, n_samples : int
            As for `encode`.

        Yields
        ------
        None
            After each tile.

        Returns
        -------
        Tensor, (3, h × factor, w × factor), float32
            From 0 to 1 but for overshoots, in the computer's memory.
        """
        decoder = self._network.decoder
        x = latent[None] / self._latent_scale
        if self._network.post_quant_conv is not None:
            x = self._network.post_quant_conv(x)
        x = decoder.mid_block(decoder.conv_in(x))[0]
        yield

        def widened(part: Tensor) -> Tensor:
            for block in decoder.up_blocks:
                part = block(part)
            part = decoder.conv_out(decoder.conv_act(decoder.conv_norm_out(part)))
            return (part + 1) / 2

        def cut(box: Box) -> Tensor:
            part: Tensor = x[(slice(None), *box.slices)]
            return part

        pixels = torch.empty((3, x.shape[1] * self.factor, x.shape[2] * self.factor))
        parts = torch.nn.ModuleList([decoder.up_blocks, decoder.conv_norm_out])
        yield from self._in_tiles(parts, widened, cut, pixels, self.factor, tile_px, n_samples)
        return pixels

    def _in_tiles(
        self,
        part: torch.nn.Module,
        run: Callable[[Tensor], Tensor],
        cut: Callable[[Box], Tensor],
        target: Tensor,
        target_px: int,
        tile_px: int,
        n_samples: int,
    ) -> Generator[None, None, None]:
        """Fill a target tile by tile; boxes are those of the latent image.

        `part` has the norms of what is run; `target_px` is the side of a latent pixel there.
        """
        shape_yx = target.shape[1] // target_px, target.shape[2] // target_px
        whole = Box(0, shape_yx[0], 0, shape_yx[1])
        side = tile_px // self.factor
        if _fits(shape_yx, side, n_samples):
            target.copy_(run(cut(whole)[None])[0])
            yield
            return
        norms = SharedNorms(part, side)
        placed = _placed_tiles(shape_yx, side, tile_px // 4 // self.factor)
        samples = spread(placed, N_BATCHES * n_samples)
        n_batches = -(-len(samples) // n_samples)
        for first in range(n_batches):
            batch = samples[first::n_batches]  # from all over the image
            with norms.measuring([core.shifted(-box.y0, -box.x0) for box, core in batch]):
                run(torch.stack([cut(box) for box, _ in batch]))
            yield
        for box, core in placed:
            with norms.applying():
                tile = run(cut(box)[None])[0]
            inner = _scaled(core.shifted(-box.y0, -box.x0), target_px).slices
            target[(slice(None), *_scaled(core, target_px).slices)] = tile[(slice(None), *inner)]
            yield


def _fits(shape_yx: tuple[int, int], side: int, n_samples: int) -> bool:
    """Tell whether an image takes no more memory whole than half a batch of tiles."""
    return max(shape_yx) <= side or 2 * math.prod(shape_yx) <= n_samples * side**2


def _placed_tiles(shape_yx: tuple[int, int], side: int, halo: int) -> list[tuple[Box, Box]]:
    """Return tiles with their cores; tiles at the border are shifted inwards, so all are alike."""
    height, width = (min(side, size) for size in shape_yx)
    placed = []
    for core in tiles(shape_yx, side - 2 * halo):
        y0 = min(max(0, core.y0 - halo), shape_yx[0] - height)
        x0 = min(max(0, core.x0 - halo), shape_yx[1] - width)
        placed.append((Box(y0, y0 + height, x0, x0 + width), core))
    return placed


def _scaled(box: Box, factor: int) -> Box:
    return Box(*(factor * edge for edge in box))
