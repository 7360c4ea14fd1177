"""From the authors' names of tensors to diffusers' own, strictly.

diffusers' converters rename what they know and drop the rest in silence. Here they rename mere
names with shapes, which costs nothing, and what they leave out is told. So a file can be checked by
its header alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from napari_gmff.errors import WeightsError
from napari_gmff.restoration.diffusion.extra import diffusers_module
from napari_gmff.restoration.diffusion.sizes import (
    Shapes,
    autoencoder_config,
    control_config,
    unet_config,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

UNET_PREFIX = "model.diffusion_model."
AUTOENCODER_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.model."

_WRAPPERS = ("state_dict.", "module.", "control_model.", "controlnet.")
"""What trainers put before all names."""


@dataclass(frozen=True)
class Layout:
    """A network, and where its tensors are found in a checkpoint.

    Attributes
    ----------
    kind : str
        What it is, in words.
    class_name : str
        diffusers' class.
    config : dict
        Its arguments.
    shapes : dict
        Shapes of its tensors, by diffusers' names.
    table : dict
        diffusers' name → the checkpoint's, for every tensor.
    """

    kind: str
    class_name: str
    config: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    table: dict[str, str]


@dataclass(frozen=True)
class _Named:
    """Stands for a tensor in diffusers' converters, which look at no values."""

    name: str
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, _: object) -> _Named:
        """Drop the two axes of one pixel that attention may have as a convolution."""
        return self


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a checkpoint's tensors, by name."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def base_layouts(shapes: Shapes, head_channels: int | None = None) -> tuple[Layout, Layout]:
    """Find the networks of a Stable Diffusion 2 checkpoint in the authors' single file.

    Parameters
    ----------
    shapes : mapping
        Of all tensors of the file. Those of the text tower, and others beside the networks, are
        ignored.
    head_channels : int, optional
        See `unet_config`.

    Returns
    -------
    tuple of Layout
        The denoising network and the autoencoder.

    Raises
    ------
    WeightsError
        Naming the tensors that are missing, not expected, or of another shape.
    """
    names = _unwrapped(shapes, UNET_PREFIX)
    unet = _layout(
        "a Stable Diffusion 2 checkpoint",
        "UNet2DConditionModel",
        "convert_ldm_unet_checkpoint",
        _within(names, UNET_PREFIX, shapes),
        lambda found: unet_config(found, head_channels),
        UNET_PREFIX,
    )
    autoencoder = _layout(
        "a Stable Diffusion 2 checkpoint with its autoencoder",
        "AutoencoderKL",
        "convert_ldm_vae_checkpoint",
        _within(names, AUTOENCODER_PREFIX, shapes),
        autoencoder_config,
        AUTOENCODER_PREFIX,
    )
    return unet, autoencoder


def control_layout(shapes: Shapes, head_channels: int | None = None) -> Layout:
    """Find the network of an IFControlNet or DiffBIR v2 checkpoint, which have the same layout.

    Parameters
    ----------
    shapes : mapping
        Of all tensors of the file.
    head_channels : int, optional
        See `unet_config`.

    Raises
    ------
    WeightsError
        Naming the tensors that are missing, not expected, or of another shape.
    """
    names = _unwrapped(shapes, "input_blocks.")
    return _layout(
        "an IFControlNet or DiffBIR v2 checkpoint",
        "ControlNetModel",
        "convert_controlnet_checkpoint",
        _within(names, "", shapes),
        lambda found: control_config(found, head_channels),
        "",
    )


def check_base(shapes: Shapes) -> None:
    """Check by names and shapes alone that a file is a Stable Diffusion 2 checkpoint.

    Raises
    ------
    WeightsError
        As `base_layouts`.
    """
    base_layouts(shapes)


def check_control(shapes: Shapes) -> None:
    """Check by names and shapes alone that a file is an IFControlNet or DiffBIR v2 checkpoint.

    Raises
    ------
    WeightsError
        As `control_layout`.
    """
    control_layout(shapes)


def check_fit(unet: Layout, control: Layout) -> None:
    """Check that a network steers another of its size.

    Raises
    ------
    WeightsError
        If one was made for a base model of another size.
    """
    for key in ("block_out_channels", "layers_per_block", "cross_attention_dim"):
        if unet.config[key] != control.config[key]:
            raise WeightsError(
                f"the steering model is for another base model: its {key} must be "
                f"{unet.config[key]}, found {control.config[key]}"
            )
    latent = unet.config["in_channels"]
    if control.config["in_channels"] != 2 * latent:
        raise WeightsError(
            f"not an IFControlNet or DiffBIR v2 checkpoint: its input must have {2 * latent} "
            f"channels, found {control.config['in_channels']}"
        )


def build(layout: Layout, state: Mapping[str, Tensor]) -> nn.Module:
    """Build a network from a checkpoint's tensors, which it shares.

    Parameters
    ----------
    layout : Layout
        Made from the shapes of this very checkpoint.
    state : mapping
        Its tensors.

    Raises
    ------
    WeightsError
        If values are not finite numbers.
    """
    tensors = {}
    for ours, theirs in layout.table.items():
        tensor = state[theirs]
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"damaged weights: {theirs} must hold finite numbers, found "
                f"{'NaN or infinity' if tensor.is_floating_point() else tensor.dtype}"
            )
        tensors[ours] = tensor.reshape(layout.shapes[ours])
    network = empty_network(layout.class_name, layout.config)
    network.load_state_dict(tensors, assign=True, strict=True)
    return network.eval().requires_grad_(False)


def empty_like(network: Any) -> Any:
    """Return a network of the same sizes without values, on torch's meta device."""
    config = {key: value for key, value in network.config.items() if not key.startswith("_")}
    return empty_network(type(network).__name__, config)


def _layout(
    kind: str,
    class_name: str,
    converter: str,
    found: Mapping[str, _Named],
    read_config: Callable[[Shapes], dict[str, Any]],
    prefix: str,
) -> Layout:
    if not found:
        raise WeightsError(f"not {kind}: missing {prefix}*")
    config = read_config({name.removeprefix(prefix): one.shape for name, one in found.items()})
    convert = getattr(diffusers_module("diffusers.loaders.single_file_utils"), converter)
    renamed: dict[str, _Named | None] = convert(dict(found), config)
    table = {ours: one for ours, one in renamed.items() if one is not None}
    try:
        expected = empty_network(class_name, config).state_dict()
    except ValueError as error:
        raise WeightsError(f"not {kind}: its sizes do not fit together ({error})") from None
    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    known = {one.name for one in table.values()}
    _refuse(kind, "missing", (prefix + name for name in shapes.keys() - table.keys()))
    _refuse(kind, "not expected", {one.name for one in found.values()} - known)
    _refuse(kind, "not expected", (table[name].name for name in table.keys() - shapes.keys()))
    for name, shape in shapes.items():
        if _squeezed(table[name].shape) != _squeezed(shape):
            raise WeightsError(
                f"not {kind}: {table[name].name} must have shape {shape}, found {table[name].shape}"
            )
    return Layout(kind, class_name, config, shapes, {name: one.name for name, one in table.items()})


def empty_network(class_name: str, config: Mapping[str, Any]) -> nn.Module:
    """Build a network without values, on torch's meta device.

    Parameters
    ----------
    class_name : str
        diffusers' ``UNet2DConditionModel``, ``ControlNetModel`` or ``AutoencoderKL``.
    config : mapping
        Its arguments.
    """
    make = getattr(diffusers_module(), class_name)
    with torch.device("meta"):
        network: nn.Module = make(**config)
        if class_name == "ControlNetModel":
            # The condition is part of the input; there is no picture to be embedded beside it.
            network.controlnet_cond_embedding = _NoEmbedding()
    return network


class _NoEmbedding(torch.nn.Module):
    """Adds nothing to what a `ControlNetModel` works on."""

    def forward(self, condition: Tensor) -> Tensor:
        return condition.new_zeros(())


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop the two axes of one pixel that a linear layer may have as a convolution."""
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape


def _unwrapped(shapes: Shapes, landmark: str) -> dict[str, str]:
    """Return names without what trainers put before all of them → names in the file."""
    names = {name: name for name in shapes}
    while names and not any(name.startswith(landmark) for name in names):
        wrapper = next(
            (one for one in _WRAPPERS if any(name.startswith(one) for name in names)), None
        )
        if wrapper is None:
            break
        names = {
            short.removeprefix(wrapper): name
            for short, name in names.items()
            if short.startswith(wrapper)
        }
    return names


def _within(names: Mapping[str, str], prefix: str, shapes: Shapes) -> dict[str, _Named]:
    return {
        short: _Named(name, tuple(shapes[name]))
        for short, name in names.items()
        if short.startswith(prefix)
    }


def _refuse(kind: str, problem: str, names: Iterable[str]) -> None:
    found = sorted(names)
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise WeightsError(f"not {kind}: {problem} {', '.join(found[:5])}{more}")
