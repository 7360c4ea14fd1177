"""Pyramid levels, made from the level above chunk by chunk so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.export.working import level_array
from napari_gmff.export.zarr_arrays import Region, ZarrLayout, fill, version_of

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec

SMALLEST_PX = 256
"""A pyramid ends with the first level whose sides are both at most this long."""


def level_shapes(shape_yx: tuple[int, int], n_levels: int | None = None) -> list[tuple[int, int]]:
    """Return height and width in pixels of every level, finest first.

    Each level halves both sides and rounds up, so that the last row and column are never lost.
    There are as many as `SMALLEST_PX` asks for, or `n_levels`.
    """
    shapes = [shape_yx]
    while max(shapes[-1]) > SMALLEST_PX if n_levels is None else len(shapes) < n_levels:
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    return shapes


def is_averaged(spec: ImageSpec) -> bool:
    """Whether levels are means; the mean of two slice numbers would be a third slice."""
    return spec.kind not in ("index", "mask")


def build_pyramid(
    group: zarr.Group,
    spec: ImageSpec,
    layout: ZarrLayout | None = None,
    n_levels: int | None = None,
) -> int:
    """Make all coarser levels of one image from its full resolution.

    Parameters
    ----------
    group : zarr.Group
        Store that holds ``<name>/0``.
    spec : ImageSpec
        Of slice numbers and masks the upper left of 2 × 2 pixels is taken; all else is averaged
        without NaN and rounded to its dtype.
    layout : ZarrLayout, optional
        How the levels are stored; one file for each chunk where left out.
    n_levels : int, optional
        Number of levels; as many as `level_shapes` says where left out.

    Returns
    -------
    int
        Number of levels, full resolution included.
    """
    layout = layout or ZarrLayout(version_of(group))
    shapes = level_shapes(spec.shape_yx, n_levels)
    reduce = halved_by_mean if is_averaged(spec) else halved_by_choice
    for level, shape_yx in enumerate(shapes[1:], start=1):
        fine = level_array(group, spec.name, level - 1)
        coarse = layout.create(group, f"{spec.name}/{level}", spec, shape_yx)
        fill(coarse, partial(_halved, fine, reduce))
    return len(shapes)


def _halved(
    fine: zarr.Array[Any], reduce: Callable[[NDArray[Any]], NDArray[Any]], region: Region
) -> NDArray[Any]:
    """Return a region of the coarser level, made from the finer one."""
    *leading, rows, columns = region
    doubled = (slice(2 * part.start, 2 * part.stop) for part in (rows, columns))
    return reduce(np.asarray(fine[(*leading, *doubled)]))


def halved_by_mean(block: NDArray[Any]) -> NDArray[Any]:
    """Average 2 × 2 pixels without NaN, in the block's own dtype.

    Parameters
    ----------
    block : ndarray
        Axes YX; an odd last row or column is averaged over the pixels that are there.

    Returns
    -------
    ndarray
        Sides halved, rounded up. NaN only where all pixels are.
    """
    height, width = block.shape
    odd = ((0, height % 2), (0, width % 2))
    # Whole numbers up to 65535 and their sums are exact in float64, so that rounding is too.
    padded = np.pad(block.astype(np.float64), odd, constant_values=np.nan)
    quads = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    counts = np.isfinite(quads).sum(axis=(1, 3))
    sums = np.where(np.isfinite(quads), quads, 0).sum(axis=(1, 3))
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    if block.dtype.kind in "iu":
        means = np.rint(means)
    return means.astype(block.dtype)


def halved_by_choice(block: NDArray[Any]) -> NDArray[Any]:
    """Keep every second pixel of both axes (YX), from the first."""
    return block[::2, ::2]
