"""The two fixed prompts, embedded once with the text tower in the user's Stable Diffusion file.

torch's own transformer layers have the tower's layout, so nothing else is needed. Layers are
built one after the other: the whole tower would take 1.4 GB.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from napari_gmff.errors import WeightsError
from napari_gmff.restoration.diffusion.layout import TEXT_PREFIX

N_TOKENS = 77
_N_LAYERS = 23
"""Of 24: Stable Diffusion 2 takes what the last but one gives."""

_HEAD_CHANNELS = 64

_START, _END, _PADDING = 49406, 49407, 0

POSITIVE_TOKENS: tuple[int, ...] = ()
"""The empty prompt."""

# fmt: off
NEGATIVE_TOKENS = (
    1042, 3027, 267, 21977, 267, 1042, 268, 9977, 267, 33495, 267, 569, 8157, 267, 5613, 28063,
)
# fmt: on
"""Of "low quality, blurry, low-resolution, noisy, unsharp, weird textures"."""

_LAYER_NAMES = {
    "norm1": "ln_1",
    "norm2": "ln_2",
    "self_attn.in_proj_": "attn.in_proj_",
    "self_attn.out_proj": "attn.out_proj",
    "linear1": "mlp.c_fc",
    "linear2": "mlp.c_proj",
}
"""Parts of torch's layer → of OpenCLIP's."""


def token_ids(prompt: tuple[int, ...]) -> Tensor:
    """Return a prompt's 77 ids: the start, its tokens, the end, then 0."""
    ids = [_START, *prompt, _END]
    return torch.tensor(ids + [_PADDING] * (N_TOKENS - len(ids)))


def compute_contexts(base: Mapping[str, Tensor], *, n_layers: int = _N_LAYERS) -> dict[str, Tensor]:
    """Embed the two prompts.

    Parameters
    ----------
    base : mapping
        Stable Diffusion 2 in its single file, with its text tower (``cond_stage_model.model.…``),
        OpenCLIP's ViT-H.
    n_layers : int
        Layers of the tower to be used.

    Returns
    -------
    dict of str to Tensor
        ``positive`` and ``negative``, each (77, width) float16.

    Raises
    ------
    WeightsError
        If tensors of the tower are missing, of another shape or not finite.
    """
    embedding = _tensor(base, "token_embedding.weight")
    position = _tensor(base, "positional_embedding")
    width = position.shape[-1]
    if position.shape != (N_TOKENS, width) or embedding.shape != (_END + 1, width):
        raise WeightsError(
            "not the text tower of Stable Diffusion 2: its embeddings must have shapes "
            f"({_END + 1}, D) and ({N_TOKENS}, D), found {tuple(embedding.shape)} and "
            f"{tuple(position.shape)}"
        )
    prompts = {"positive": POSITIVE_TOKENS, "negative": NEGATIVE_TOKENS}
    with torch.no_grad():
        ids = torch.stack([token_ids(prompt) for prompt in prompts.values()])
        x = embedding[ids].float() + position.float()  # (2, 77, D)
        mask = nn.Transformer.generate_square_subsequent_mask(N_TOKENS)
        for number in range(n_layers):
            x = _layer(base, number, width)(x, src_mask=mask, is_causal=True)
        scale, shift = (_tensor(base, f"ln_final.{name}").float() for name in ("weight", "bias"))
        x = nn.functional.layer_norm(x, (width,), scale, shift)
    if not bool(torch.isfinite(x).all()):
        raise WeightsError("damaged weights: the text tower gives NaN or infinity")
    return {name: one.half() for name, one in zip(prompts, x, strict=True)}


def checked_contexts(contexts: Mapping[str, Tensor], shape: tuple[int, int]) -> dict[str, Tensor]:
    """Check embedded prompts before use.

    Parameters
    ----------
    contexts : mapping
        ``positive`` and ``negative``.
    shape : tuple of int
        77, and the width that the base model takes.

    Returns
    -------
    dict of str to Tensor
        The same, each (77, D) float32.

    Raises
    ------
    WeightsError
        If one is missing, of another shape or not finite.
    """
    checked = {}
    for name in ("positive", "negative"):
        if name not in contexts:
            raise WeightsError(f"prompt embeddings: missing {name}, found {sorted(contexts)}")
        tensor = contexts[name].float()
        tensor = tensor[0] if tensor.ndim == 3 and len(tensor) == 1 else tensor
        if tuple(tensor.shape) != shape or not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"prompt embeddings: {name} must be {shape} finite numbers, found shape "
                f"{tuple(contexts[name].shape)}"
            )
        checked[name] = tensor
    return checked


def _tensor(base: Mapping[str, Tensor], name: str) -> Tensor:
    if TEXT_PREFIX + name not in base:
        raise WeightsError(
            f"not a Stable Diffusion 2 checkpoint with its text tower: missing {TEXT_PREFIX}{name}"
        )
    return base[TEXT_PREFIX + name]


def _layer(base: Mapping[str, Tensor], number: int, width: int) -> nn.Module:
    with torch.device("meta"):
        layer = nn.TransformerEncoderLayer(
            width,
            max(1, width // _HEAD_CHANNELS),
            4 * width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
    tensors = {}
    for name, expected in layer.state_dict().items():
        ours, theirs = next(pair for pair in _LAYER_NAMES.items() if name.startswith(pair[0]))
        there = f"transformer.resblocks.{number}.{theirs}{name.removeprefix(ours)}"
        tensor = _tensor(base, there)
        if tensor.shape != expected.shape:
            raise WeightsError(
                f"not the text tower of Stable Diffusion 2: {there} must have shape "
                f"{tuple(expected.shape)}, found {tuple(tensor.shape)}"
            )
        tensors[name] = tensor.float()
    layer.load_state_dict(tensors, assign=True)
    return layer.eval()
