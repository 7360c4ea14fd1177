"""The colours of the focus map as a colormap of napari, and of what is drawn over images."""

from __future__ import annotations

import numpy as np
from napari.utils import Colormap

from napari_gmff.export.display import colormap_table
from napari_gmff.export.slice_colors import slice_colors

__all__ = ["MARK_COLOR", "difference_colormap", "slice_colormap", "slice_colors", "slice_limits"]

MARK_COLOR = "#ff9500"
"""Of marks and lines: seen on black and on white, and on the colours of depth."""


def slice_colormap(n_slices: int) -> Colormap:
    """Make a colormap with one flat colour for each slice.

    Parameters
    ----------
    n_slices : int
        Number of colours, from the first slice to the last; at least 1.

    Returns
    -------
    napari.utils.Colormap
        ``colors`` is (n, 4), RGBA from 0 to 1. With the contrast limits of `slice_limits` each
        slice number has the colour of its bin.
    """
    colors = slice_colors(n_slices)
    if n_slices == 1:
        colors = np.repeat(colors, 2, axis=0)  # the shader wants two bins at least
    return Colormap(colors, name=f"{n_slices} slices", interpolation="zero")


def difference_colormap() -> Colormap:
    """Make the colormap of signed differences, white in its middle; napari has none of its own."""
    return Colormap(colormap_table("difference"), name="difference")


def slice_limits(first: int, last: int) -> tuple[float, float]:
    """Return the contrast limits that put every slice number into the middle of its bin.

    Parameters
    ----------
    first, last : int
        Lowest and highest slice number in the map.
    """
    return first - 0.5, last + 0.5
