"""What the attributes of an OME-Zarr image say, 0.4 and 0.5 alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.ome_xml import check_inside
from napari_gmff.reading.stack import Channel
from napari_gmff.reading.units import um_per_unit

if TYPE_CHECKING:
    import zarr

    from napari_gmff.reading.axes import AxisPlan


@dataclass(frozen=True)
class Multiscale:
    """Metadata of an image: what its group says, in plain values."""

    group: zarr.Group
    name: str
    axes: tuple[tuple[str, str | None], ...]
    paths: tuple[str, ...]
    scale: tuple[float | None, ...]
    translation: tuple[float, ...]
    channels: tuple[Channel, ...]
    version: str


def ome_attributes(group: zarr.Group) -> Mapping[str, Any]:
    """OME metadata of a group: 0.5 keeps them under a key of their own."""
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def multiscale_of(address: str, group: zarr.Group) -> Multiscale:
    """Read the metadata of an image.

    Raises
    ------
    SourceError
        If they are missing or damaged, or name an array outside the group.
    """
    facts = ome_attributes(group)
    listed = facts.get("multiscales")
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, Mapping):
        raise SourceError(f"{address}: must be an OME-Zarr image, its multiscales are missing")
    try:
        axes = tuple(
            (str(axis["name"]), _text(axis.get("unit")))
            if isinstance(axis, Mapping)
            else (str(axis), None)
            for axis in first.get("axes") or "tczyx"
        )
        datasets = first["datasets"]
        paths = tuple(str(dataset["path"]) for dataset in datasets)
        transforms = [
            *(datasets[0].get("coordinateTransformations") or ()),
            *(first.get("coordinateTransformations") or ()),
        ]
        scale, translation = _transforms(transforms, len(axes))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{address}: its multiscales metadata are damaged ({error!r})") from None
    for path in paths:
        check_inside(address, path)
    return Multiscale(
        group=group,
        name=str(first.get("name") or group.basename or "image"),
        axes=axes,
        paths=paths,
        scale=scale,
        translation=translation,
        channels=_channels(facts.get("omero")),
        version=str(facts.get("version") or first.get("version") or "?"),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _transforms(
    transforms: list[Any], n_axes: int
) -> tuple[tuple[float | None, ...], tuple[float, ...]]:
    """Scale and translation, one after the other; no scale at all stays unknown."""
    scale: list[float | None] = [None] * n_axes
    translation = [0.0] * n_axes
    for transform in transforms:
        kind = transform.get("type")
        if kind not in ("scale", "translation") or kind not in transform:
            continue
        values = [float(value) for value in transform[kind]]
        if len(values) != n_axes:
            raise ValueError(f"{len(values)} {kind} values for {n_axes} axes")
        if kind == "scale":
            scale = [value * (old or 1.0) for value, old in zip(values, scale, strict=True)]
            translation = [value * old for value, old in zip(values, translation, strict=True)]
        else:
            translation = [value + old for value, old in zip(values, translation, strict=True)]
    return tuple(scale), tuple(translation)


def _channels(omero: object) -> tuple[Channel, ...]:
    listed = omero.get("channels") if isinstance(omero, Mapping) else None
    found = []
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        facts = item if isinstance(item, Mapping) else {}
        color = str(facts.get("color") or "").lstrip("#").upper()
        found.append(
            Channel(
                str(facts.get("label") or f"channel {index}"),
                color[:6] if re.fullmatch(r"[0-9A-F]{6}([0-9A-F]{2})?", color) else None,
            )
        )
    return tuple(found)


def axis_letter(address: str, axis: str) -> str:
    """One letter for the name of an axis.

    Raises
    ------
    SourceError
        For names of several letters.
    """
    if len(axis) != 1:
        raise SourceError(
            f"{address}: axes must be called t, c, z, y and x, found {axis!r}; "
            "plain arrays inside can be given with axes="
        )
    return axis.upper()


def in_um(
    image: Multiscale | None, plan: AxisPlan
) -> tuple[tuple[float | None, float | None, float | None], tuple[float, float, float]]:
    """Size and start (z, y, x) in µm; unknown where an axis states no unit of length."""
    found = [_axis_um(image, plan, letter) for letter in "ZYX"]
    (z, z0), (y, y0), (x, x0) = found
    return (z, y, x), (z0, y0, x0)


def _axis_um(image: Multiscale | None, plan: AxisPlan, letter: str) -> tuple[float | None, float]:
    place = plan.index(letter)
    # An axis that the user renamed is not the one whose size is stated.
    if image is None or place is None or image.axes[place][0].upper() != letter:
        return None, 0.0
    um, size = um_per_unit(image.axes[place][1]), image.scale[place]
    if um is None or size is None or size == 0 or not np.isfinite(size):
        return None, 0.0
    return abs(size) * um, image.translation[place] * um


def z_falls(image: Multiscale | None, plan: AxisPlan) -> bool:
    """Whether the slices go down: the image states a negative step."""
    place = plan.index("Z")
    size = image.scale[place] if image is not None and place is not None else None
    return size is not None and size < 0
