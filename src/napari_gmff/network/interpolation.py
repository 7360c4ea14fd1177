"""Bilinear upsampling by 4 with the corners aligned to the *whole* window, for any part of it.

torch's own `interpolate` aligns the corners of what it is given, so a tile would be stretched
differently from the window it was cut from. Written as two banded matrix products it can take the
window's coordinates, and adds the result onto the features in the same pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_gmff.network.stackmff_v4 import POOL_PX

_BAND_PX = 64
"""Rows per product: each needs only a quarter as many pooled rows, so the matrices stay small."""


@dataclass(frozen=True)
class Bands:
    """Interpolation weights along one axis, cut into bands.

    Attributes
    ----------
    outputs, inputs : list of slice
        Pixels of the part, and the pooled cells they draw on.
    weights : list of Tensor, (len(outputs), len(inputs))
    """

    outputs: list[slice]
    inputs: list[slice]
    weights: list[Tensor]


def row_weights(start_px: int, stop_px: int, size_px: int, device: torch.device) -> Bands:
    """Weights that raise pooled cells to pixels start_px to stop_px of an axis of size_px.

    Cells outside the part are replaced by the nearest inside: what lies within 8 px of a cut is
    not exact and must be dropped.
    """
    first_cell, last_cell = start_px // POOL_PX, stop_px // POOL_PX - 1
    cells = size_px // POOL_PX
    # align_corners: pixel 0 sits on cell 0 and the last pixel on the last cell.
    position = torch.arange(start_px, stop_px, dtype=torch.float64) * ((cells - 1) / (size_px - 1))
    lower = position.floor().clamp(max=cells - 1)
    fraction = (position - lower).to(torch.float32)
    lower_cell = (lower.long().clamp(first_cell, last_cell)) - first_cell
    upper_cell = (lower.long() + 1).clamp(first_cell, last_cell) - first_cell
    bands = Bands([], [], [])
    for y0 in range(0, stop_px - start_px, _BAND_PX):
        rows = slice(y0, min(y0 + _BAND_PX, stop_px - start_px))
        low, high = int(lower_cell[rows].min()), int(upper_cell[rows].max())
        matrix = torch.zeros(rows.stop - rows.start, high - low + 1)
        index = torch.arange(len(matrix))
        matrix.index_put_((index, lower_cell[rows] - low), 1 - fraction[rows], accumulate=True)
        matrix.index_put_((index, upper_cell[rows] - low), fraction[rows], accumulate=True)
        bands.outputs.append(rows)
        bands.inputs.append(slice(low, high + 1))
        bands.weights.append(matrix.to(device))
    return bands


def add_raised(
    features: Tensor, pooled: Tensor, rows: Bands, columns: Bands, *, identity: float
) -> None:
    """Set features to identity * features + upsampled pooled, in place.

    Parameters
    ----------
    features : Tensor, (h, w, C), contiguous
        Receives the sum.
    pooled : Tensor, (h/4, w/4, C)
        What is upsampled.
    rows, columns : Bands
        From `row_weights` for the two axes.
    identity : float
        Factor of `features`.
    """
    h, w, channels = features.shape
    wide = features.new_empty((pooled.shape[0], w, channels))
    for out, inside, weight in zip(columns.outputs, columns.inputs, columns.weights, strict=True):
        wide[:, out] = weight @ pooled[:, inside]
    flat = features.view(h, w * channels)
    wide_flat = wide.view(-1, w * channels)
    for out, inside, weight in zip(rows.outputs, rows.inputs, rows.weights, strict=True):
        flat[out].addmm_(weight, wide_flat[inside], beta=identity)
