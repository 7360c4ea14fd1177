"""What the metadata of a TIFF say of a stack: sizes in µm, slice positions, channels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.reading.planes import evenly
from napari_gmff.reading.stack import Channel
from napari_gmff.reading.units import um_per_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffPage

    from napari_gmff.reading.ome_xml import OmeImage


@dataclass(frozen=True)
class ImageFacts:
    """Metadata of one image; everything unknown unless the file says it.

    Attributes
    ----------
    title : str
        Name of the image within the file.
    voxel_size_um : tuple of (float or None)
        (z, y, x).
    z_um : tuple of (float or None)
        Position of each slice, as far as stated.
    z_falls : bool
        Slices go down: the file states a negative step.
    origin_yx_um : tuple of float
        Position (y, x) of the first pixel.
    channels : tuple of Channel
        As far as described.
    has_z : bool
        Whether the file means its Z axis, should it have length 1.
    notes : tuple of str
        What had to be assumed.
    """

    title: str = ""
    voxel_size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    z_um: dict[int, float] = field(default_factory=dict)
    z_falls: bool = False
    origin_yx_um: tuple[float, float] = (0.0, 0.0)
    channels: tuple[Channel, ...] = ()
    has_z: bool = True
    notes: tuple[str, ...] = ()

    def axes(self, file_axes: str) -> str:
        """Axes of the file without a Z that it never meant."""
        return file_axes if self.has_z else file_axes.replace("Z", "?")

    def z_positions(self, n_slices: int, *, as_z: bool = True) -> NDArray[np.float64] | None:
        """Position of every slice in µm, None if unknown.

        Parameters
        ----------
        n_slices : int
            Number of slices.
        as_z : bool
            False where the user renamed axes, so that stated positions are of other planes.
        """
        if as_z and n_slices > 1 and all(index in self.z_um for index in range(n_slices)):
            positions = np.array([self.z_um[index] for index in range(n_slices)], np.float64)
            # A stage that stands still while a piezo moves reports one position for all.
            if np.ptp(positions) > 0:
                return positions
        step = self.voxel_size_um[0]
        if step is None:
            return None
        return evenly(n_slices, -step if self.z_falls else step)

    def channels_for(self, n_channels: int) -> tuple[Channel, ...]:
        """One description for each channel, or none if their numbers differ."""
        return self.channels if len(self.channels) == n_channels else ()


def facts_of_ome(image: OmeImage) -> ImageFacts:
    """Facts of an image of OME-XML."""
    z, y, x = image.voxel_size_um
    n_slices = image.sizes["Z"]
    notes: list[str] = []
    positions = [image.z_um[index] for index in range(n_slices) if index in image.z_um]
    if len(positions) == n_slices > 1 and np.ptp(positions) > 0:
        median = float(np.median(np.abs(np.diff(positions))))
        if image.z_without_unit:
            notes.append("Slice positions state no unit; they are taken as µm.")
        if z is None and median > 0:
            z = median
        elif z is not None and abs(median - z) > 0.1 * z:
            notes.append(
                f"Slice positions are {median:g} µm apart (median), but the file states "
                f"{z:g} µm; the positions are used."
            )
    origin_y, origin_x = image.origin_yx_um
    return ImageFacts(
        title=image.name,
        voxel_size_um=(z, y, x),
        z_um=dict(image.z_um),
        origin_yx_um=(origin_y or 0.0, origin_x or 0.0),
        channels=image.channels,
        notes=tuple(notes),
    )


def facts_of_imagej(metadata: Mapping[str, Any], page: TiffPage) -> ImageFacts:
    """Facts of an ImageJ hyperstack, from its calibration.

    Parameters
    ----------
    metadata : mapping
        ``unit``, ``spacing``, ``slices``, ``LUTs`` and so on, as ImageJ writes them.
    page : tifffile.TiffPage
        First page, whose resolution tags count pixels per unit.
    """
    scale = um_per_unit(str(metadata.get("unit") or ""))
    spacing = finite(metadata.get("spacing"))
    notes: tuple[str, ...] = ()
    z = y = x = None
    if scale is not None:
        # Newer ImageJ states a unit of its own for an axis that differs from X.
        z_scale, y_scale = (
            um_per_unit(str(metadata[key])) if metadata.get(key) else scale
            for key in ("zunit", "yunit")
        )
        z = abs(spacing) * z_scale if spacing and z_scale else None
        y = _pixel_um(page, "YResolution", y_scale) if y_scale else None
        x = _pixel_um(page, "XResolution", scale)
        if z is None and metadata.get("slices", 1) > 1:
            notes = ("The file states no distance between slices.",)
    return ImageFacts(
        voxel_size_um=(z, y, x),
        z_falls=bool(spacing and spacing < 0),
        channels=_lut_channels(metadata),
        has_z="slices" in metadata,
        notes=notes,
    )


def _pixel_um(page: TiffPage, tag: str, um: float) -> float | None:
    found = page.tags.get(tag)
    if found is None:
        return None
    try:
        pixels, units = found.value
        return float(units) / float(pixels) * um if pixels > 0 and units > 0 else None
    except (TypeError, ValueError):
        return None


def _lut_channels(metadata: Mapping[str, Any]) -> tuple[Channel, ...]:
    """Colours are the brightest entries of the colour tables."""
    found = []
    for index, table in enumerate(metadata.get("LUTs") or ()):
        colors = np.asarray(table)
        if colors.shape != (3, 256):
            return ()
        found.append(Channel(f"channel {index}", "".join(f"{int(v):02X}" for v in colors[:, -1])))
    return tuple(found)


def finite(value: object) -> float | None:
    """Return a number, of text too; None for what is none."""
    if isinstance(value, str) and not re.fullmatch(r"[-+\d.eE]+", value):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
