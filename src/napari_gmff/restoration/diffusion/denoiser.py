"""What noise the steered model sees in a latent image, by tiles and under guidance."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_gmff.restoration.diffusion.tiling import Blend, tile_boxes

if TYPE_CHECKING:
    from napari_gmff.restoration.diffusion.networks import Networks


class SteeredDenoiser:
    """A base model and what steers it, with two fixed prompts.

    Parameters
    ----------
    networks : Networks
        On one device and in one precision.
    contexts : mapping
        ``positive`` and ``negative``, each (77, D); see `compute_contexts`.
    guidance : float
        1 asks the model once, without the negative prompt; else twice, and the difference is
        exaggerated (Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022).
    strength : float
        Of the steering: what it adds is multiplied by this.
    """

    def __init__(
        self,
        networks: Networks,
        contexts: Mapping[str, Tensor],
        guidance: float,
        strength: float,
    ) -> None:
        self._unet: Any = networks.unet
        self._control: Any = networks.control
        parameter = next(iter(self._unet.parameters()))
        self._device, self._dtype = parameter.device, parameter.dtype
        names = ("positive",) if guidance == 1 else ("negative", "positive")
        self._contexts = [contexts[name].to(self._device, self._dtype) for name in names]
        self._guidance = guidance
        self._strength = strength

    @property
    def n_passes(self) -> int:
        """How often the model is asked for one step."""
        return len(self._contexts)

    def noise_in(self, latents: Tensor, conditions: Tensor, timestep: int) -> Tensor:
        """Predict the noise in a batch of latent images.

        Parameters
        ----------
        latents, conditions : Tensor, (B, 4, h, w), float32
            Noisy images, and the encoded image that they shall become; sides are multiples of 8.
        timestep : int
            0 to 999.

        Returns
        -------
        Tensor, (B, 4, h, w), float32
        """
        n = len(latents)
        context = torch.cat([one.expand(n, -1, -1) for one in self._contexts])
        noisy = latents.to(self._dtype).repeat(self.n_passes, 1, 1, 1)
        condition = conditions.to(self._dtype).repeat(self.n_passes, 1, 1, 1)
        when = torch.full((len(noisy),), timestep, device=self._device)
        skips, middle = self._control(
            torch.cat([noisy, condition], dim=1),
            when,
            context,
            controlnet_cond=condition,
            conditioning_scale=self._strength,
            return_dict=False,
        )
        noise: Tensor = self._unet(
            noisy,
            when,
            context,
            down_block_additional_residuals=skips,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0].float()
        if self.n_passes == 1:
            return noise
        unconditional, conditional = noise.chunk(2)
        return unconditional + self._guidance * (conditional - unconditional)

    def noise_in_tiles(
        self, latent: Tensor, condition: Tensor, timestep: int, side: int, at_once: int
    ) -> Generator[None, None, Tensor]:
        """Predict the noise in a latent image of any size.

        Parameters
        ----------
        latent, condition : Tensor, (4, h, w), float32
            As for `noise_in`.
        timestep : int
            0 to 999.
        side : int
            Of tiles, in pixels of the latent image; a multiple of 8.
        at_once : int
            Tiles in one batch; moves the result by rounding only.

        Yields
        ------
        None
            After each batch.

        Returns
        -------
        Tensor, (4, h, w), float32
        """
        boxes = tile_boxes((latent.shape[1], latent.shape[2]), side)
        blend = Blend(latent.shape[0], (latent.shape[1], latent.shape[2]), latent.device)
        for first in range(0, len(boxes), at_once):
            batch = boxes[first : first + at_once]
            cuts = [(slice(None), *box.slices) for box in batch]
            noise = self.noise_in(
                torch.stack([latent[cut] for cut in cuts]),
                torch.stack([condition[cut] for cut in cuts]),
                timestep,
            )
            for box, values in zip(batch, noise, strict=True):
                blend.add(box, values)
            yield
        return blend.result()
