"""LPIPS, for those who have installed it with its weights; nothing is ever fetched for it."""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SIDE_PX = 64
"""A smaller image leaves nothing for the coarse layers of the network."""

_TRUNK = "alexnet-owt-*.pth"
"""File that torchvision would fetch; without it LPIPS is not asked."""


def lpips_map(image: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return the perceptual distance at each pixel, averaged over channels.

    Parameters
    ----------
    image, truth : ndarray, (C, Y, X), same shape
        From 0 to 1; each channel is judged as a grey picture, three channels as colours.

    Returns
    -------
    ndarray, (Y, X), float32, or None
        0 for equal images; None where the package ``lpips`` or its weights are not on this
        computer, or the image is smaller than `LEAST_SIDE_PX`.

    References
    ----------
    .. [1] R. Zhang, P. Isola, A. A. Efros, E. Shechtman and O. Wang, "The unreasonable
       effectiveness of deep features as a perceptual metric", CVPR 2018, 586-595.
    """
    model = _model() if min(image.shape[-2:]) >= LEAST_SIDE_PX else None
    if model is None:
        return None
    import torch

    groups = [slice(0, 3)] if len(image) == 3 else [slice(k, k + 1) for k in range(len(image))]
    maps = []
    for group in groups:
        first, second = (
            torch.from_numpy(np.clip(one[group], 0, 1).astype(np.float32)).expand(3, -1, -1)[None]
            for one in (image, truth)
        )
        with torch.no_grad():
            maps.append(model(first, second, normalize=True)[0, 0].numpy())
    return np.asarray(np.mean(maps, axis=0), np.float32)


@lru_cache(maxsize=1)
def _model() -> Any:
    """Return the network of LPIPS, None where it or its weights are not there."""
    if find_spec("lpips") is None:
        return None
    import torch

    if not any((Path(torch.hub.get_dir()) / "checkpoints").glob(_TRUNK)):
        return None
    with warnings.catch_warnings():
        # It loads its weights in a way that torchvision calls outdated.
        warnings.simplefilter("ignore")
        import lpips

        return lpips.LPIPS(net="alex", spatial=True, verbose=False)
