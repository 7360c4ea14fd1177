"""How the images of a result are shown by programs that know nothing of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.export.slice_colors import slice_colors
from napari_gmff.marks import marked, unmarked

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec, Kind

_RGB_COLORS = {"red": "FF0000", "green": "00FF00", "blue": "0000FF", "alpha": "FFFFFF"}
# Distinct on black for most colour vision, for channels whose source names no colour.
_COLORS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF8000", "FFFFFF")
_DISPLAY_PERCENTILES = (0.1, 99.9)

COLORMAPS: dict[Kind, str] = {"depth": "viridis", "difference": "RdBu_r", "amount": "magma"}
"""Matplotlib's colours of maps whose numbers have an order."""


def channel_label(spec: ImageSpec, number: int) -> str:
    """Return the name of a channel, with the unit of its values where they have one.

    That of a generated image is marked: some programs show the channels' names and no other.
    """
    name = unmarked(spec.channels[number].name)
    named = f"{name} ({spec.unit})" if spec.unit else name
    return marked(named) if spec.is_generated else named


def channel_color(spec: ImageSpec, number: int) -> str:
    """Return the colour of a channel as ``"RRGGBB"``, one of ours where the source names none."""
    channel = spec.channels[number]
    if channel.color:
        return channel.color
    if spec.n_channels == 1:
        return "FFFFFF"
    return _RGB_COLORS.get(channel.name, _COLORS[number % len(_COLORS)])


def sample_of(
    spec: ImageSpec, coarsest: zarr.Array[Any] | da.Array, channel: int
) -> NDArray[np.float64]:
    """Return finite values of one channel from the first, middle and last time point.

    Parameters
    ----------
    spec : ImageSpec
        The image.
    coarsest : zarr.Array or dask.array.Array
        A level of it that is small enough to be read.
    channel : int
        Number of the channel, 0 where there is no C axis.

    Returns
    -------
    ndarray, (N,), float64
    """
    times = sorted({0, spec.n_times // 2, spec.n_times - 1})
    blocks = []
    for t in times:
        leading = (t,) if "t" in spec.axes else ()
        leading = (*leading, channel) if "c" in spec.axes else leading
        blocks.append(np.asarray(coarsest[leading] if leading else coarsest[:]).ravel())
    values = np.concatenate(blocks).astype(np.float64)
    return values[np.isfinite(values)]


def display_limits(spec: ImageSpec, values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the values that are shown as dark and bright, the first below the second.

    Parameters
    ----------
    spec : ImageSpec
        The image: intensities are cut at percentiles, confidence and masks go from 0 to 1, and 0
        is the middle of a difference and the begin of an amount.
    values : ndarray, (N,), float64
        Finite values; see `sample_of`.
    """
    if spec.kind in ("confidence", "mask") or values.size == 0:
        low, high = 0.0, 1.0
    elif spec.kind == "intensity":
        low, high = (float(edge) for edge in np.percentile(values, _DISPLAY_PERCENTILES))
    elif spec.kind in ("difference", "amount"):
        high = _high_amount(values)
        low = -high if spec.kind == "difference" else 0.0
    else:
        low, high = float(values.min()), float(values.max())
    return low, high if high > low else low + 1.0


def lookup_table(
    spec: ImageSpec, number: int, provenance: Mapping[str, Any]
) -> tuple[NDArray[np.uint8], tuple[float, float] | None]:
    """Return the colours of one channel of an image, and the limits that they need.

    Parameters
    ----------
    spec : ImageSpec
        The image.
    number : int
        Number of the channel.
    provenance : mapping
        Record of the run, which says what slices there are.

    Returns
    -------
    table : ndarray, (256, 3), uint8
        Red, green and blue from the darkest value to the brightest: one flat colour for each
        slice of a focus index, viridis for depth, blue over white to red for differences, magma
        for amounts, else from black to the colour of the channel.
    limits : tuple of float or None
        For the focus index and depth; None where `display_limits` may choose.
    """
    slices = provenance["slices"]
    numbers = slices["numbers"]
    if spec.kind == "index":
        first, last = numbers[0], numbers[-1]
        colors = slice_colors(last - first + 1)[:, :3]
        # Each slice number is in the middle of its part of the table.
        return _bytes(colors[np.arange(256) * len(colors) // 256]), (first - 0.5, last + 0.5)
    if spec.kind == "depth":
        z = slices["z_um"] if slices.get("z_um") is not None else numbers
        low, high = float(min(z)), float(max(z))
        return _bytes(colormap_table(spec.kind)), (low, high if high > low else low + 1.0)
    if spec.kind in COLORMAPS:
        return _bytes(colormap_table(spec.kind)), None
    rgb = np.frombuffer(bytes.fromhex(channel_color(spec, number)), np.uint8)
    return _bytes(np.linspace(0, 1, 256)[:, None] * (rgb / 255)), None


def colormap_table(kind: Kind) -> NDArray[np.float64]:
    """Return the colours of a kind of `COLORMAPS`: (256, 3), red, green and blue from 0 to 1."""
    import matplotlib

    table: NDArray[np.float64] = matplotlib.colormaps[COLORMAPS[kind]](np.arange(256))[:, :3]
    return table


def _high_amount(values: NDArray[np.float64]) -> float:
    """Return an amount that few pixels exceed; most are 0 where only a mask was restored."""
    amounts = np.abs(values[values != 0])
    return float(np.percentile(amounts, _DISPLAY_PERCENTILES[1])) if amounts.size else 1.0


def _bytes(colors: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(255 * colors).astype(np.uint8)
