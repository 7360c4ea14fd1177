"""What training minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_gmff.training.data import Batch


def focus_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Return the mean cross-entropy between target and predicted slice, weighted by pixel.

    Cross-entropy on the true index is the papers' loss [1]_; targets here may be spread over
    slices that are equally right, and pixels may count more or less.

    Parameters
    ----------
    logits : Tensor, (B, N, Y, X)
        What the network answered.
    batch : Batch
        What it should have.

    Returns
    -------
    Tensor, scalar, in nats

    References
    ----------
    .. [1] "Generative Multi-Focus Image Fusion" (StackMFF V4 / GMFF), 2025.
    """
    log_share = torch.log_softmax(logits.float(), dim=1)
    return -((batch.target * log_share).sum(1) * batch.weight).mean()
