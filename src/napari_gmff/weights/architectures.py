"""Which network a file of tensors belongs to, and its tensors in our own layout of names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_CHECKPOINT_MODULES = {"stackmff-v4": "napari_gmff.network.checkpoint"}
"""Each module has ``is_ours``, ``check_ours`` and ``ours_from_authors``; a new network is a row."""

ARCHITECTURES = tuple(_CHECKPOINT_MODULES)


def in_our_layout(state: dict[str, Tensor], architecture: str, path: Path) -> dict[str, Tensor]:
    """Return the tensors under our own names, in float32 memory of their own.

    Parameters
    ----------
    state : dict of str to Tensor
        As loaded, in our layout or in that of the network's authors.
    architecture : str
        Network they must belong to.
    path : Path
        Named in errors.

    Raises
    ------
    WeightsError
        If the architecture is unknown, names or shapes are not its, or a value is NaN or Inf.
    """
    if architecture not in _CHECKPOINT_MODULES:
        known = ", ".join(ARCHITECTURES)
        raise WeightsError(f"{path}: architecture must be one of {known}, got {architecture!r}")
    module = import_module(_CHECKPOINT_MODULES[architecture])
    try:
        if module.is_ours(state):
            module.check_ours(state)
            ours: dict[str, Tensor] = state
        else:
            ours = module.ours_from_authors(state)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    return {name: _own_copy(name, tensor, path) for name, tensor in ours.items()}


def _own_copy(name: str, tensor: Tensor, path: Path) -> Tensor:
    import torch

    if not tensor.is_floating_point():
        return tensor.clone(memory_format=torch.contiguous_format)
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{path}: weights must be finite, {name!r} holds NaN or Inf")
    # A copy, because a tensor that still maps the file would change or crash with the file.
    return tensor.to(torch.float32, copy=True).contiguous()
