"""The three networks of a restoration, from the authors' files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_gmff.restoration.diffusion.layout import (
    base_layouts,
    build,
    check_fit,
    control_layout,
    shapes_of,
)
from napari_gmff.restoration.diffusion.sizes import sd21_base

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Networks:
    """diffusers' networks, in evaluation mode.

    Attributes
    ----------
    unet : UNet2DConditionModel
        Predicts the noise in a latent image.
    control : ControlNetModel
        Steers it towards the fused image; takes two latent images, one behind the other.
    autoencoder : AutoencoderKL
        Between images (B, 3, H, W) from −1 to 1 and latent ones (B, 4, H/8, W/8).
    latent_scale : float
        Encoded images are multiplied by this.
    """

    unet: Any
    control: Any
    autoencoder: Any
    latent_scale: float

    @property
    def context_shape(self) -> tuple[int, int]:
        """Shape of an embedded prompt: 77 tokens, and the width of the text tower."""
        return 77, int(self.unet.config.cross_attention_dim)


def networks_from_states(
    base: Mapping[str, Tensor],
    control: Mapping[str, Tensor],
    *,
    head_channels: int | None = None,
) -> Networks:
    """Build the networks; they share the tensors given.

    Parameters
    ----------
    base : mapping
        Stable Diffusion 2 in its single file (``model.diffusion_model.…``,
        ``first_stage_model.…``); other tensors in it are ignored.
    control : mapping
        IFControlNet, or DiffBIR v2.
    head_channels : int, optional
        Channels of an attention head, which shapes do not tell; see `unet_config`.

    Raises
    ------
    WeightsError
        If tensors are missing, not expected, of another shape or not finite, or if the one is not
        for the other.
    GmffError
        If diffusers is not installed.
    """
    unet, autoencoder = base_layouts(shapes_of(base), head_channels)
    steering = control_layout(shapes_of(control), head_channels)
    check_fit(unet, steering)
    return Networks(
        unet=build(unet, base),
        control=build(steering, control),
        autoencoder=build(autoencoder, base),
        latent_scale=float(sd21_base()["latent_scale"]),
    )
