"""What TIFFs of microscope makers say in tags of their own: Zeiss LSM and MetaMorph STK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_gmff.reading.stack import Channel
from napari_gmff.reading.tiff_metadata import ImageFacts, finite
from napari_gmff.reading.units import um_per_unit

_M_IN_UM = 1e6

_MOST_UM = 1e6
"""A stage beyond a metre is a negative number that was written as an unsigned one."""


def facts_of_lsm(metadata: Mapping[str, Any]) -> ImageFacts:
    """Facts of a Zeiss LSM file, whose lengths are in metres.

    Parameters
    ----------
    metadata : mapping
        The structure CZ_LSMINFO, as tifffile reads it.
    """
    z, y, x = (_length_um(metadata, f"VoxelSize{axis}") for axis in "ZYX")
    origin = tuple((finite(metadata.get(f"Origin{axis}")) or 0.0) * _M_IN_UM for axis in "YX")
    colors = metadata.get("ChannelColors") or {}
    names = list(colors.get("ColorNames") or ())
    values = list(colors.get("Colors") or ())
    channels = tuple(
        Channel(
            str(name) or f"channel {index}",
            "".join(f"{int(part):02X}" for part in values[index][:3])
            if index < len(values)
            else None,
        )
        for index, name in enumerate(names)
    )
    return ImageFacts(
        voxel_size_um=(z, y, x),
        origin_yx_um=origin,  # type: ignore[arg-type]
        channels=channels,
    )


def facts_of_stk(metadata: Mapping[str, Any]) -> ImageFacts:
    """Facts of a MetaMorph STK file: a calibrated pixel size, and µm between planes.

    Parameters
    ----------
    metadata : mapping
        Of the tags UIC1 to UIC4, as tifffile reads them.
    """
    scale = um_per_unit(str(metadata.get("CalibrationUnits") or ""))
    is_calibrated = bool(metadata.get("SpatialCalibration", 1)) and scale is not None
    sizes = [finite(metadata.get(f"{axis}Calibration")) for axis in "YX"]
    y, x = (size * (scale or 0) if size and size > 0 and is_calibrated else None for size in sizes)
    distances = np.abs(_numbers(metadata.get("ZDistance")))
    step = float(np.median(distances)) if distances.size else 0.0
    z_um = _stage_um(metadata)
    if not step and len(z_um) > 1:
        step = float(np.median(np.abs(np.diff([z_um[index] for index in sorted(z_um)]))))
    wavelengths = set(_numbers(metadata.get("Wavelengths")).tolist())
    notes = (
        (f"Its planes are of {len(wavelengths)} wavelengths; they may be channels, not slices.",)
        if len(wavelengths) > 1
        else ()
    )
    return ImageFacts(
        title=str(metadata.get("Name") or ""),
        voxel_size_um=(step or None, y, x),
        z_um=z_um,
        notes=notes,
    )


def _stage_um(metadata: Mapping[str, Any]) -> dict[int, float]:
    """Heights of the stage, where every one of them is said to be valid."""
    heights = _numbers(metadata.get("AbsoluteZ"))
    valid = _numbers(metadata.get("AbsoluteZValid"))
    if not heights.size or (np.abs(heights) > _MOST_UM).any() or not valid.all():
        return {}
    return dict(enumerate(heights.tolist()))


def _numbers(values: object) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        found = np.atleast_1d(np.asarray(values if values is not None else (), np.float64)).ravel()
    except (TypeError, ValueError):
        return np.empty(0)
    return found if np.isfinite(found).all() else np.empty(0)


def _length_um(metadata: Mapping[str, Any], key: str) -> float | None:
    size = finite(metadata.get(key))
    return size * _M_IN_UM if size and size > 0 else None
