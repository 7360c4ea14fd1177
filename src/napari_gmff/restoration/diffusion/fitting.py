"""Images of any size made to fit the networks, and results cut back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from napari_gmff.engines.stackmff_window import padded_plane
from napari_gmff.restoration.params import LATENT_MULTIPLE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SIDE_PX = 512
"""The base model was trained at this size, and makes things up at random below it."""

_LONGEST_GROWN_PX = 1024
"""An image is not enlarged beyond this: a narrow strip would become as long as a cable."""


@dataclass(frozen=True)
class Fit:
    """How an image comes to a size that the networks take.

    Attributes
    ----------
    shape_yx : tuple of int
        Height and width of the image.
    scaled_yx : tuple of int
        The same after enlarging.
    padded_yx : tuple of int
        The same after reflection at bottom and right.
    """

    shape_yx: tuple[int, int]
    scaled_yx: tuple[int, int]
    padded_yx: tuple[int, int]

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an image (3, H, W) enlarged, not yet padded."""
        return _resized(image, self.scaled_yx)

    def pad(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an enlarged image extended by reflection, as often as its size asks for.

        Zeros instead, as the authors have it, darken the edges.
        """
        return np.stack([padded_plane(plane, self.padded_yx) for plane in image])

    def crop(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an image without what `pad` added."""
        height, width = self.scaled_yx
        return image[:, :height, :width]

    def undo(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an enlarged image at its first size."""
        return _resized(image, self.shape_yx)


def fit(shape_yx: tuple[int, int], least_side_px: int = LEAST_SIDE_PX) -> Fit:
    """Choose how an image is made to fit.

    Parameters
    ----------
    shape_yx : tuple of int
        Height and width.
    least_side_px : int
        Images with a shorter side are enlarged so that it has this length, unless the longer one
        would exceed 1024 px; what then lacks is reflected.
    """
    short, long = sorted(shape_yx)
    scale = min(least_side_px / short, max(1.0, _LONGEST_GROWN_PX / long))
    scaled = shape_yx
    if scale > 1:
        scaled = max(1, round(shape_yx[0] * scale)), max(1, round(shape_yx[1] * scale))
    multiple = LATENT_MULTIPLE_PX
    height, width = (-(-max(side, least_side_px) // multiple) * multiple for side in scaled)
    return Fit(shape_yx, scaled, (height, width))


def _resized(image: NDArray[np.float32], shape_yx: tuple[int, int]) -> NDArray[np.float32]:
    if image.shape[1:] == shape_yx:
        return image
    tensor = torch.from_numpy(np.array(image))[None]  # a copy: it may be read-only
    resized = F.interpolate(tensor, shape_yx, mode="bicubic", align_corners=False, antialias=True)
    result: NDArray[np.float32] = resized[0].numpy()
    return result
