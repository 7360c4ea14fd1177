"""What training minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_gmff.training.data import Batch


def focus_loss(logits: Tensor, batch: Batch, balance_nats: float | None = None) -> Tensor:
    """Return the mean cross-entropy between target and predicted slice, weighted by pixel.

    Cross-entropy on the true index is the papers' loss [1]_; targets here may be spread over
    slices that are equally right, and pixels may count more or less.

    With `balance_nats`, b, a stack whose loss lies e above the least possible one counts
    (1 + b) / (e + b) times: its gradient is that of log(e + b), so that halving what is wrong
    pays as much on an easy stack as on one in which noise hides nearly everything. Without it,
    the hopeless stacks make most of the gradient.

    Parameters
    ----------
    logits : Tensor, (B, N, Y, X)
        What the network answered.
    batch : Batch
        What it should have.
    balance_nats : float, optional
        Above 0; below it, a stack counts as solved. All stacks count alike if not given.

    Returns
    -------
    Tensor, scalar, in nats

    References
    ----------
    .. [1] "Generative Multi-Focus Image Fusion" (StackMFF V4 / GMFF), 2025.
    """
    log_share = torch.log_softmax(logits.float(), dim=1)
    losses = _mean_over_pixels(-(batch.target * log_share).sum(1), batch)
    if balance_nats is None:
        return losses.mean()
    least = _mean_over_pixels(torch.special.entr(batch.target).sum(1), batch)
    above = (losses.detach() - least).clamp(min=0)
    return (losses * (1 + balance_nats) / (above + balance_nats)).mean()


def _mean_over_pixels(per_pixel: Tensor, batch: Batch) -> Tensor:
    """Weighted mean of each stack: (B, Y, X) to (B,)."""
    return (per_pixel * batch.weight).mean((1, 2))
