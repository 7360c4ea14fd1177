"""Local operations strip by strip: a fresh full-resolution tensor costs more than computing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

STRIP_FLOATS = 1 << 21
"""Widest activation of a strip of local operations: 8 MB, so that it stays in the cache."""


def run_in_strips(
    step: Callable[[Tensor], Tensor], x: Tensor, stride: int, floats_per_px: int
) -> Tensor:
    """Run a local step strip by strip, as a `RunLocal`; equals the whole up to rounding."""
    height, width = x.shape[-2:]
    halo = 2 * stride
    rows = max(4 * stride, STRIP_FLOATS // (floats_per_px * width) // stride * stride)
    out: Tensor | None = None
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        top, bottom = max(start - halo, 0), min(stop + halo, height)
        part = step(x[:, :, top:bottom])
        if out is None:
            shape = (len(x), part.shape[1], height // stride, part.shape[3])
            out = torch.empty(shape, device=x.device, memory_format=torch.channels_last)
        first = (start - top) // stride
        count = (stop - start) // stride
        out[:, :, start // stride : stop // stride] = part[:, :, first : first + count]
    assert out is not None
    return out


def decoder_strips(
    start: int, stop: int, height: int, halo: int, floats_per_row: int
) -> Iterator[tuple[int, int, int, int]]:
    """Cut rows into strips.

    Parameters
    ----------
    start, stop : int
        Rows to cut.
    height : int
        All rows there are.
    halo : int
        Rows that a strip needs beyond its own.
    floats_per_row : int
        Widest activation of a row.

    Yields
    ------
    tuple of int
        Start and stop of a strip, and both grown by the halo as far as there are rows.
    """
    rows = max(8, STRIP_FLOATS // floats_per_row)
    for y0 in range(start, stop, rows):
        y1 = min(y0 + rows, stop)
        yield y0, y1, max(y0 - halo, 0), min(y1 + halo, height)
