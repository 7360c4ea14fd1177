"""Overlapping tiles, and their weighted mean, which shows no seams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from napari_gmff.windows import Box

_Item = TypeVar("_Item")

_SIGMA = 0.1
"""Standard deviation of the weights, as a share of a tile's side (Zhang et al.: variance 0.01)."""


def tile_boxes(shape_yx: tuple[int, int], side: int) -> list[Box]:
    """Cover an image with tiles at a stride of half their side.

    Parameters
    ----------
    shape_yx : tuple of int
        Height and width of the image.
    side : int
        Of the tiles; one reaches over a whole axis where that is shorter.

    Returns
    -------
    list of Box
        In reading order; the last of a row or column ends at the border.
    """
    stride = max(1, side // 2)
    height, width = (min(side, size) for size in shape_yx)
    return [
        Box(y, y + height, x, x + width)
        for y in _starts(shape_yx[0], height, stride)
        for x in _starts(shape_yx[1], width, stride)
    ]


def spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """Choose some of many, evenly spread; all where there are no more than `most`."""
    if len(items) <= most:
        return list(items)
    return [items[round((i + 0.5) * len(items) / most - 0.5)] for i in range(most)]


def _starts(size: int, side: int, stride: int) -> list[int]:
    return [*range(0, size - side, stride), size - side]


class Blend:
    """Weighted mean of overlapping tiles, with Gaussian weights about their centres.

    Parameters
    ----------
    n_channels : int
        Of the image.
    shape_yx : tuple of int
        Its height and width.
    device : torch.device
        Where it is summed up, in float32.
    """

    def __init__(self, n_channels: int, shape_yx: tuple[int, int], device: torch.device) -> None:
        self._sum = torch.zeros((n_channels, *shape_yx), device=device)
        self._weights = torch.zeros(shape_yx, device=device)

    def add(self, box: Box, values: Tensor) -> None:
        """Add a tile.

        Parameters
        ----------
        box : Box
            Where it lies.
        values : Tensor, (C, h, w)
            Of any type and device.
        """
        weights = _gaussian(box.shape, self._sum.device)
        self._sum[(slice(None), *box.slices)] += values.to(self._sum) * weights
        self._weights[box.slices] += weights

    def result(self) -> Tensor:
        """Return the mean (C, H, W), in place of the sum; the last thing to be asked for."""
        return self._sum.div_(self._weights)


def _gaussian(shape_yx: tuple[int, int], device: torch.device) -> Tensor:
    rows, columns = (
        torch.exp(-0.5 * (torch.linspace(-0.5, 0.5, size, device=device) / _SIGMA) ** 2)
        if size > 1
        else torch.ones(1, device=device)
        for size in shape_yx
    )
    return rows[:, None] * columns


def n_tiles(shape_yx: tuple[int, int], side: int) -> int:
    """Count the tiles of `tile_boxes`."""
    sides = [min(side, size) for size in shape_yx]
    stride = max(1, side // 2)
    return math.prod(
        len(_starts(size, edge, stride)) for size, edge in zip(shape_yx, sides, strict=True)
    )
