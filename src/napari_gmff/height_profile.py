"""Heights along a line drawn over a depth map, and their table as a file."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.export.atomic import staging

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MAX_WIDTH_PX = 999

_LEAST_SHARE = 0.5
"""Pixels without depth may weigh up to this much in an interpolated height; then it is NaN."""


@dataclass(frozen=True, eq=False)
class HeightProfile:
    """Heights at points along a line, about one pixel apart.

    Attributes
    ----------
    distance_um : ndarray of float64, shape (N,)
        Way along the line in the image plane, from 0.
    height_um : ndarray of float64, shape (N,)
        Depth there, interpolated between pixels; NaN where there is none.
    y_px, x_px : ndarray of float64, shape (N,)
        Row and column of the points.
    """

    distance_um: NDArray[np.float64]
    height_um: NDArray[np.float64]
    y_px: NDArray[np.float64]
    x_px: NDArray[np.float64]

    @property
    def length_um(self) -> float:
        """Length of the line in the image plane."""
        return float(self.distance_um[-1])

    @property
    def height_difference_um(self) -> float:
        """Last known height minus the first; NaN where none is known."""
        known = self.height_um[np.isfinite(self.height_um)]
        return float(known[-1] - known[0]) if len(known) else math.nan

    @property
    def height_range_um(self) -> float:
        """Largest height minus the smallest; NaN where none is known."""
        known = self.height_um[np.isfinite(self.height_um)]
        return float(known.max() - known.min()) if len(known) else math.nan

    def height_at(self, distance_um: float) -> float:
        """Return the height at a distance along the line.

        Parameters
        ----------
        distance_um : float
            From the start; distances beyond an end mean that end.

        Returns
        -------
        float
            µm; NaN where no height is known.
        """
        return float(np.interp(distance_um, self.distance_um, self.height_um))

    def as_table(self, separator: str = ",") -> str:
        """Return the profile as text with a line of column names and units.

        Parameters
        ----------
        separator : str
            Between columns: ``","`` for CSV, a tab for the clipboard.

        Returns
        -------
        str
            Columns ``distance_um``, ``height_um``, ``y_px``, ``x_px``; unknown heights are empty.
        """
        text = io.StringIO()
        writer = csv.writer(text, delimiter=separator, lineterminator="\n")
        writer.writerow(["distance_um", "height_um", "y_px", "x_px"])
        columns = (self.distance_um, self.height_um, self.y_px, self.x_px)
        for row in zip(*columns, strict=True):
            writer.writerow(["" if math.isnan(value) else f"{value:.9g}" for value in row])
        return text.getvalue()

    def save_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write `as_table` as a CSV file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            File to write.
        overwrite : bool
            Replace an existing file.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        OutputError
            If `path` exists (without `overwrite`) or cannot be written.
        """
        path = Path(path)
        with staging(path, overwrite, is_file=True) as partial:
            partial.write_text(self.as_table(), encoding="utf-8")
        return path


def height_profile(
    depth: ArrayLike,
    line_points_px: ArrayLike,
    pixel_size_um: tuple[float | None, float | None],
    width_px: int = 1,
    *,
    depth_unit: str = "µm",
) -> HeightProfile:
    """Measure heights along a line.

    Parameters
    ----------
    depth : array, (Y, X), float
        Height of each pixel in µm, such as ``result.depth``; NaN where there is none. Of a lazy
        array only the part around the line is read.
    line_points_px : array, (M, 2), float
        Row and column of the line's corners, two or more; pixel centres are whole numbers.
    pixel_size_um : tuple of float
        Size (y, x) of a pixel in µm.
    width_px : int
        Average over so many parallel lines, one pixel apart; pixels without depth do not count.
    depth_unit : str
        Unit of `depth`; see `FusionResult.depth_unit`. Anything but µm is refused.

    Returns
    -------
    HeightProfile
        At every corner and at steps of at most one pixel between them. Heights are linear between
        the four pixels around a point, and NaN where no pixel is.

    Raises
    ------
    ParameterError
        If an argument is outside its limits, or pixel size or step are unknown.
    """
    if depth_unit != "µm":
        raise ParameterError(
            f"depth: heights are measured in µm, got a depth in units of {depth_unit!r}; "
            "read the stack with voxel_size_um= (--voxel-size-um) and fuse it again"
        )
    heights = depth if hasattr(depth, "shape") else np.asarray(depth)
    corners = np.asarray(line_points_px, dtype=np.float64)
    size_um = _checked(heights.shape, corners, pixel_size_um, width_px)
    corners = corners[np.append(True, np.abs(np.diff(corners, axis=0)).max(axis=1) > 0)]
    if len(corners) < 2:
        raise ParameterError("line_points_px: a line needs two different points")
    points, normals = _sampled(corners)
    offsets = np.arange(width_px) - (width_px - 1) / 2
    across = points[:, None] + offsets[:, None] * normals[:, None]
    steps_um = np.linalg.norm(np.diff(points, axis=0) * size_um, axis=1)
    return HeightProfile(
        distance_um=np.append(0.0, np.cumsum(steps_um)),
        height_um=_mean_of_known(_interpolated(heights, across)),
        y_px=points[:, 0],
        x_px=points[:, 1],
    )


def _checked(
    shape: tuple[int, ...],
    corners: NDArray[np.float64],
    pixel_size_um: tuple[float | None, float | None],
    width_px: int,
) -> NDArray[np.float64]:
    if len(shape) != 2:
        raise ParameterError(f"depth: must have the axes Y and X, got shape {shape}")
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 2:
        raise ParameterError(
            f"line_points_px: must be two or more of (row, column), got shape {corners.shape}"
        )
    if not np.isfinite(corners).all():
        raise ParameterError("line_points_px: must be finite numbers")
    if not 1 <= width_px <= MAX_WIDTH_PX:
        raise ParameterError(f"width_px: must be from 1 to {MAX_WIDTH_PX}, got {width_px}")
    size = np.array([math.nan if length is None else length for length in pixel_size_um])
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise ParameterError(
            f"pixel_size_um: lengths are measured in µm, so both sizes must be above 0, "
            f"got {pixel_size_um}"
        )
    return size


def _sampled(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points along the line with the direction across it, both (N, 2) in pixels."""
    points, normals = [], []
    for start, stop in pairwise(corners):
        length = float(np.linalg.norm(stop - start))
        n_steps = max(1, math.ceil(length - 1e-9))
        part = start + np.linspace(0, 1, n_steps + 1)[:, None] * (stop - start)
        normal = np.array([stop[1] - start[1], start[0] - stop[0]]) / length
        # A corner is shared: it belongs to the part that it begins.
        points.append(part[:-1])
        normals.append(np.tile(normal, (n_steps, 1)))
    points.append(corners[-1:])
    normals.append(normals[-1][-1:])
    return np.concatenate(points), np.concatenate(normals)


def _interpolated(heights: Any, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return heights at points (..., 2), linear between the pixels that have one.

    Only the part of the map around the points is read.
    """
    from scipy import ndimage

    flat = points.reshape(-1, 2)
    first = np.clip(np.floor(flat.min(axis=0)).astype(int), 0, heights.shape)
    stop = np.clip(np.ceil(flat.max(axis=0)).astype(int) + 1, 0, heights.shape)
    if (first >= stop).any():
        return np.full(points.shape[:-1], np.nan)
    part = np.asarray(heights[first[0] : stop[0], first[1] : stop[1]], dtype=np.float64)
    known = np.isfinite(part)
    at = np.moveaxis(points - first, -1, 0)
    share = ndimage.map_coordinates(known.astype(float), at, order=1, mode="grid-constant")
    total = ndimage.map_coordinates(np.where(known, part, 0.0), at, order=1, mode="grid-constant")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share >= _LEAST_SHARE, total / share, np.nan)


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
