"""Depth of a result as heights to show, to measure and to write.

Nothing here touches a layer: it runs in worker threads, on what `LiveImages` holds in memory or
what a saved result holds on disk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.heights.fused_picture import (
    ChannelLook,
    fused_picture,
    level_within,
    plane_of,
)
from napari_gmff.surface import Surface, height_surface, save_mesh

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_gmff._napari.heights.fused_picture import AnyImages
    from napari_gmff.results import FusionResult

SHOWN_VERTICES = 200_000
"""Of the surface on screen: moved and lit smoothly without a graphics card too."""

SHOWN_TEXTURE_PX = 3072
"""Longest side of the image laid over it; what every graphics card takes, and screens show."""


@dataclass(frozen=True)
class HeightScale:
    """What the numbers of a depth map are in µm.

    Attributes
    ----------
    pixel_size_um : tuple of (float or None)
        Size (y, x) of a pixel; None where unknown.
    um_per_depth : float or None
        µm for each unit of the depth map: 1 where it is in µm, the step where it is in slices,
        None where that is unknown.
    """

    pixel_size_um: tuple[float | None, float | None]
    um_per_depth: float | None

    @property
    def is_known(self) -> bool:
        """Whether lengths and heights can be given in µm."""
        return self.um_per_depth is not None and None not in self.pixel_size_um

    @property
    def depth_unit(self) -> str:
        """Unit of heights on this scale, ``"µm"`` or ``"slice"``."""
        return "slice" if self.um_per_depth is None else "µm"


def scale_of(
    result: FusionResult, step_um: float | None = None, pixel_um: float | None = None
) -> HeightScale:
    """Return the scale of a result, with what the user says where its source says nothing.

    Parameters
    ----------
    result : FusionResult
        Its own sizes are never overridden.
    step_um, pixel_um : float, optional
        Step between slices and side of a pixel in µm.
    """
    y_um, x_um = result.geometry.pixel_size_um
    return HeightScale(
        pixel_size_um=(y_um or pixel_um, x_um or pixel_um),
        um_per_depth=1.0 if result.depth_unit == "µm" else step_um,
    )


@dataclass(frozen=True, eq=False)
class HeightMap:
    """Heights of one time point, as a lazy array of the axes (Y, X).

    Attributes
    ----------
    images : LiveImages or SavedImages
        Of the result.
    time : int
        Time point of the result, from 0.
    scale : HeightScale
        Heights are in its `depth_unit`.
    least_confidence : float
        From 0 to 1; where confidence is lower, there is no height (NaN).
    """

    images: AnyImages
    time: int
    scale: HeightScale
    least_confidence: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.images.specs["depth"].shape_yx

    def __getitem__(self, place: tuple[slice, slice]) -> NDArray[np.float32]:
        """Return heights of a part, rows and columns; a copy."""
        depth = np.asarray(self._plane("depth")[place])
        heights: NDArray[np.float32] = depth * np.float32(self.scale.um_per_depth or 1.0)
        if self.least_confidence > 0:
            confidence = np.asarray(self._plane("confidence")[place])
            heights[confidence < self.least_confidence] = np.nan
        return heights

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all heights."""
        del copy  # always one
        return self[:, :].astype(dtype or np.float32, copy=False)

    def _plane(self, name: str) -> Any:
        return plane_of(self.images, name, 0, self.time)


@dataclass(frozen=True, eq=False)
class ShownSurface:
    """A surface ready for the screen.

    Attributes
    ----------
    surface : Surface
        Thinned to about `SHOWN_VERTICES`.
    texture : ndarray of uint8, (h, w, 3)
        The fused image at the pyramid level that is just fine enough.
    lowest, highest : float
        Height of the lowest and the highest vertex.
    """

    surface: Surface
    texture: NDArray[np.uint8]
    lowest: float
    highest: float


def shown_surface(
    heights: HeightMap, looks: Sequence[ChannelLook], smoothing_px: float = 0.0
) -> ShownSurface:
    """Make what the 3D view shows.

    Parameters
    ----------
    heights : HeightMap
        Read whole.
    looks : sequence of ChannelLook
        One for each channel of the fused image; none for an image in colour.
    smoothing_px : float
        Sigma of a Gaussian over the heights, in pixels; for the eye alone, never for a file.

    Raises
    ------
    ParameterError
        If no pixel has a height.
    """
    values = heights[:, :]
    if smoothing_px > 0:
        values = smoothed(values, smoothing_px)
    surface = height_surface(
        values,
        heights.scale.pixel_size_um,
        depth_unit=heights.scale.depth_unit,
        stride_px=max(1, math.ceil(math.sqrt(values.size / SHOWN_VERTICES))),
    )
    level = level_within(heights.images, SHOWN_TEXTURE_PX)
    texture = fused_picture(heights.images, heights.time, looks, level)
    z = surface.vertices[:, 0]
    return ShownSurface(surface, texture, float(z.min()), float(z.max()))


def export_mesh(
    heights: HeightMap,
    looks: Sequence[ChannelLook],
    path: Path,
    *,
    rises: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write the measured heights as a mesh file: without exaggeration, without smoothing.

    Parameters
    ----------
    heights : HeightMap
        Read whole; on a known scale.
    looks : sequence of ChannelLook
        As for `shown_surface`; the colours of a PLY file.
    path : Path
        Ends in ``.stl`` or ``.ply``.
    rises : bool
        Whether larger depth is higher; else the heights of the file are the negative depth.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    GmffError
        As `height_surface` and `save_mesh` do.
    """
    values = heights[:, :]
    surface = height_surface(
        values if rises else -values,
        heights.scale.pixel_size_um,
        depth_unit=heights.scale.depth_unit,
        texture=fused_picture(heights.images, heights.time, looks, 0),
    )
    return save_mesh(surface, path, overwrite=overwrite)


def smoothed(heights: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Return heights after a Gaussian over those that are known; holes stay as they are."""
    from scipy import ndimage

    known = np.isfinite(heights)
    weight = ndimage.gaussian_filter(known.astype(np.float32), sigma_px)
    total = ndimage.gaussian_filter(np.where(known, heights, np.float32(0)), sigma_px)
    result: NDArray[np.float32] = np.full(heights.shape, np.nan, np.float32)
    np.divide(total, weight, out=result, where=known)
    return result
