"""How large networks are: those of Stable Diffusion 2.1-base, or read from tensors' shapes.

Shapes tell all but one thing: into how many heads attention is split. Heads have 64 channels in
every Stable Diffusion 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import count
from typing import Any

from napari_gmff.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of each tensor of a checkpoint, by name."""

_DOWN_UP = {
    "DownEncoderBlock2D": "UpDecoderBlock2D",
    "CrossAttnDownBlock2D": "CrossAttnUpBlock2D",
    "DownBlock2D": "UpBlock2D",
}


@cache
def _packaged_text() -> str:
    return resources.files(__package__).joinpath("sd21_base.json").read_text("utf-8")


def sd21_base() -> dict[str, Any]:
    """Return what the networks of Stable Diffusion 2.1-base are made with, a copy.

    Returns
    -------
    dict
        Arguments of diffusers' ``UNet2DConditionModel`` (``unet``), ``ControlNetModel``
        (``control``), ``AutoencoderKL`` (``autoencoder``) and ``DDPMScheduler`` (``scheduler``);
        ``latent_scale``, by which encoded images are multiplied; ``head_channels``.
    """
    packaged: dict[str, Any] = json.loads(_packaged_text())
    return packaged


def unet_config(shapes: Shapes, head_channels: int | None = None) -> dict[str, Any]:
    """Read the sizes of a denoising network.

    Parameters
    ----------
    shapes : mapping
        Of its tensors, in the authors' names without a prefix (``input_blocks.0.0.weight``).
    head_channels : int, optional
        Channels of an attention head; where left out 64, or a quarter of the narrowest level where
        that is less, as in networks made for tests.

    Returns
    -------
    dict
        Arguments of diffusers' ``UNet2DConditionModel``.

    Raises
    ------
    WeightsError
        If tensors that tell the size are missing.
    """
    sizes = _steering_sizes(shapes, head_channels)
    kinds = sizes["down_block_types"]
    up = [_DOWN_UP[kind] for kind in reversed(kinds)]
    return {**sd21_base()["unet"], **sizes, "up_block_types": up}


def control_config(shapes: Shapes, head_channels: int | None = None) -> dict[str, Any]:
    """Read the sizes of a network that steers, as `unet_config` does.

    Returns
    -------
    dict
        Arguments of diffusers' ``ControlNetModel``.
    """
    return {**sd21_base()["control"], **_steering_sizes(shapes, head_channels)}


def autoencoder_config(shapes: Shapes) -> dict[str, Any]:
    """Read the sizes of an autoencoder.

    Parameters
    ----------
    shapes : mapping
        Of its tensors, in the authors' names without a prefix (``encoder.conv_in.weight``).

    Returns
    -------
    dict
        Arguments of diffusers' ``AutoencoderKL``.

    Raises
    ------
    WeightsError
        If tensors that tell the size are missing.
    """
    widths, depths = [], []
    for level in count():
        first = f"encoder.down.{level}.block.0.conv1.weight"
        if first not in shapes:
            break
        widths.append(_shape(shapes, first, 4)[0])
        depths.append(_run_length(shapes, f"encoder.down.{level}.block.{{}}.conv1.weight"))
    if not widths:
        raise WeightsError(
            "not an autoencoder of Stable Diffusion: missing encoder.down.0.block.0.conv1.weight"
        )
    return {
        **sd21_base()["autoencoder"],
        "down_block_types": ["DownEncoderBlock2D"] * len(widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(widths),
        "block_out_channels": widths,
        "layers_per_block": depths[0],
        "latent_channels": _shape(shapes, "decoder.conv_in.weight", 4)[1],
    }


def _steering_sizes(shapes: Shapes, head_channels: int | None) -> dict[str, Any]:
    """Read what the denoising network and its copy that steers it have in common."""
    width, in_channels = _shape(shapes, "input_blocks.0.0.weight", 4)[:2]
    levels = _levels(shapes)
    widths = [
        _shape(shapes, f"input_blocks.{numbers[0]}.0.out_layers.3.weight", 4)[0]
        for numbers in levels
    ]
    attends = [f"input_blocks.{numbers[0]}.1.proj_in.weight" in shapes for numbers in levels]
    first = f"input_blocks.{levels[attends.index(True) if True in attends else 0][0]}.1"
    in_head = head_channels or min(sd21_base()["head_channels"], max(1, width // 4))
    return {
        "in_channels": in_channels,
        "down_block_types": ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends],
        "block_out_channels": widths,
        "layers_per_block": len(levels[0]),
        "cross_attention_dim": _shape(shapes, f"{first}.transformer_blocks.0.attn2.to_k.weight", 2)[
            1
        ],
        "attention_head_dim": [max(1, channels // in_head) for channels in widths],
        "use_linear_projection": len(shapes.get(f"{first}.proj_in.weight", ())) == 2,
    }


def _levels(shapes: Shapes) -> list[list[int]]:
    """Group the numbers of the input blocks by level; halving blocks stand between levels."""
    levels: list[list[int]] = [[]]
    for number in count(1):
        if f"input_blocks.{number}.0.op.weight" in shapes:
            levels.append([])
        elif f"input_blocks.{number}.0.out_layers.3.weight" in shapes:
            levels[-1].append(number)
        else:
            break
    if len({len(level) for level in levels}) != 1 or not levels[0]:
        raise WeightsError(
            "not a network of Stable Diffusion: its levels must have the same number of blocks, "
            f"found {[len(level) for level in levels]}"
        )
    return levels


def _run_length(shapes: Shapes, pattern: str) -> int:
    return next(number for number in count() if pattern.format(number) not in shapes)


def _shape(shapes: Shapes, name: str, n_axes: int) -> tuple[int, ...]:
    if name not in shapes:
        raise WeightsError(f"not a network of Stable Diffusion: missing {name}")
    if len(shapes[name]) != n_axes:
        raise WeightsError(
            f"not a network of Stable Diffusion: {name} must have {n_axes} axes, "
            f"found shape {tuple(shapes[name])}"
        )
    return shapes[name]
