"""Finish a working store as OME-Zarr: depth marks, shards, pyramid levels and metadata."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.export.atomic import translate_os_errors
from napari_gmff.export.descriptions import no_data_note
from napari_gmff.export.display import channel_color, channel_label, display_limits, sample_of
from napari_gmff.export.pyramid import build_pyramid, is_averaged
from napari_gmff.export.source_type import mark_attributes, mark_texts
from napari_gmff.export.working import level_array, store_root
from napari_gmff.export.zarr_arrays import (
    OmeVersion,
    ZarrLayout,
    chosen_shard_px,
    fill,
    unit_regions,
    version_of,
)
from napari_gmff.marks import RESTORATION_KEY
from napari_gmff.provenance import ATTRIBUTE

if TYPE_CHECKING:
    import zarr

    from napari_gmff.export.layout import Geometry, ImageSpec

_AGAIN = "again"
"""Name of full resolution while it is written another time."""


def finish_ome_zarr(
    root: str | Path | zarr.Group,
    specs: Iterable[ImageSpec],
    geometry: Geometry,
    provenance: Mapping[str, Any],
    *,
    depth_min_confidence: float | None = None,
    shard_px: Literal["auto"] | int | None = None,
) -> None:
    """Turn a filled working store into a complete OME-Zarr result.

    Parameters
    ----------
    root : path or zarr.Group
        Store with the full resolution of every image, ``<name>/0``, as `create_working_store`
        makes it. A group of Zarr v3 becomes OME-Zarr 0.5, one of v2 becomes 0.4.
    specs : iterable of ImageSpec
        Its images; their order becomes the order of the series.
    geometry : Geometry
        Pixel size and origin. Where a size is unknown the axis has no unit and scale 1.
    provenance : mapping
        Record of the run, stored under the root's attribute ``napari_gmff``.
    depth_min_confidence : float, optional
        Depth becomes NaN where confidence, from 0 to 1, is lower. Left out: the value of that
        name among the record's parameters.
    shard_px : "auto" or int, optional
        Side of the shards, 0 for none. Left out: the value of that name among the record's
        parameters, or "auto".

    Raises
    ------
    ParameterError
        If shards are asked for in OME-Zarr 0.4.
    OutputError
        If the disk is full or the store cannot be written.
    """
    import zarr

    specs = list(specs)
    parameters = provenance.get("parameters", {})
    if depth_min_confidence is None:
        depth_min_confidence = parameters.get("depth_min_confidence")
    if shard_px is None:
        shard_px = parameters.get("shard_px", "auto")
    folder = store_root(root) if isinstance(root, zarr.Group) else Path(root)
    with translate_os_errors(folder):
        group = root if isinstance(root, zarr.Group) else zarr.open_group(str(root), mode="r+")
        version = version_of(group)
        layout = ZarrLayout(version, chosen_shard_px(shard_px, version, specs))
        # The record of a restoration keeps the parameters of its fusion, but there is no depth.
        if depth_min_confidence is not None and any(spec.kind == "depth" for spec in specs):
            _mark_no_data(group, specs, depth_min_confidence)
        for spec in specs:
            _bring_into_layout(group, spec, layout)
            levels = build_pyramid(group, spec, layout)
            facts = image_attributes(group, spec, geometry, levels)
            note = no_data_note(spec, depth_min_confidence)
            ours = {
                "kind": spec.kind,
                "unit": spec.unit,
                "no_data": note,
                **mark_attributes(spec, provenance.get(RESTORATION_KEY)),
            }
            attributes = {**in_ome(facts, version), ATTRIBUTE: ours}
            group.require_group(spec.name).attrs.update(attributes)
        series = {"series": [spec.name for spec in specs]}
        group.require_group("OME").attrs.update(in_ome(series, version))
        whole: Any = {
            "provenance": dict(provenance),
            "images": [spec.to_json() for spec in specs],
            "geometry": geometry.to_json(),
        }
        # Last of all, since these attributes are what makes the folder a result.
        group.attrs.update({**in_ome({"bioformats2raw.layout": 3}, version), ATTRIBUTE: whole})


def in_ome(facts: Mapping[str, Any], version: OmeVersion) -> dict[str, Any]:
    """Return facts of OME as attributes of a group: 0.5 keeps them under a key of their own."""
    return {"ome": {"version": version, **facts}} if version == "0.5" else dict(facts)


def _bring_into_layout(group: zarr.Group, spec: ImageSpec, layout: ZarrLayout) -> None:
    """Write full resolution again, where windows were written that are no whole shards."""
    array = level_array(group, spec.name)
    if layout.is_that_of(array):
        return
    folder = store_root(group) / spec.name
    again = layout.create(group, f"{spec.name}/{_AGAIN}", spec, spec.shape_yx)
    fill(again, lambda region: np.asarray(array[region]))
    shutil.rmtree(folder / "0")
    (folder / _AGAIN).rename(folder / "0")


def _mark_no_data(group: zarr.Group, specs: list[ImageSpec], least: float) -> None:
    confidence = level_array(group, "confidence")
    by_hand = any(spec.name == "corrected" for spec in specs)
    corrected = level_array(group, "corrected") if by_hand else None
    for spec in specs:
        if spec.kind != "depth":
            continue
        depth = level_array(group, spec.name)
        for region in unit_regions(depth):
            block = np.array(depth[region])
            unsure = np.asarray(confidence[region]) < least
            # The engine's doubt says nothing about a slice that a person chose.
            if corrected is not None:
                unsure &= np.asarray(corrected[region]) == 0
            block[unsure] = np.nan
            depth[region] = block


def image_attributes(
    group: zarr.Group, spec: ImageSpec, geometry: Geometry, levels: int
) -> dict[str, Any]:
    """Return what OME says of an image: axes, place of each level, and how channels are shown.

    Parameters
    ----------
    group : zarr.Group
        Store with all levels of the image.
    spec : ImageSpec
        The image.
    geometry : Geometry
        Of the result.
    levels : int
        Number of levels.

    Returns
    -------
    dict
        ``multiscales`` and ``omero``, to be stored as `in_ome` says.
    """
    version = version_of(group)
    own_version = {} if version == "0.5" else {"version": version}
    coarsest = level_array(group, spec.name, levels - 1)
    omero = {"channels": _omero_channels(spec, coarsest), **own_version}
    return {
        "multiscales": [{**multiscale_of(spec, geometry, levels), **own_version}],
        "omero": omero,
    }


def multiscale_of(spec: ImageSpec, geometry: Geometry, levels: int) -> dict[str, Any]:
    """Return the entry of ``multiscales`` of an image; see `image_attributes`."""
    notice = mark_texts(spec)
    return {
        "name": spec.title,
        "axes": _axes(spec, geometry),
        "datasets": [
            {"path": str(level), "coordinateTransformations": _placement(spec, geometry, level)}
            for level in range(levels)
        ],
        "type": "mean" if is_averaged(spec) else "nearest",
        **({"metadata": notice} if notice else {}),
    }


def _axes(spec: ImageSpec, geometry: Geometry) -> list[dict[str, str]]:
    types = {"t": "time", "c": "channel", "y": "space", "x": "space"}
    units: dict[str, str] = {}
    if geometry.time_step_s is not None:
        units["t"] = "second"
    for axis, size_um in zip("yx", geometry.pixel_size_um, strict=True):
        if size_um is not None:
            units[axis] = "micrometer"
    axes = []
    for axis in spec.axes:
        entry = {"name": axis, "type": types[axis]}
        if axis in units:
            entry["unit"] = units[axis]
        axes.append(entry)
    return axes


def _placement(spec: ImageSpec, geometry: Geometry, level: int) -> list[dict[str, Any]]:
    """Scale and position of one level; a mean of pixels lies at the middle of them."""
    factor = 2**level
    shift_px = (factor - 1) / 2 if is_averaged(spec) else 0.0
    scale = {"t": geometry.time_step_s or 1.0, "c": 1.0}
    translation = {"t": 0.0, "c": 0.0}
    places = zip("yx", geometry.pixel_size_um, geometry.origin_um, strict=True)
    for axis, size_um, origin_um in places:
        # Without a size, coordinates are pixels, and an origin in µm means nothing.
        scale[axis] = factor * (size_um or 1.0)
        translation[axis] = shift_px if size_um is None else origin_um + shift_px * size_um
    return [
        {"type": "scale", "scale": [scale[axis] for axis in spec.axes]},
        {"type": "translation", "translation": [translation[axis] for axis in spec.axes]},
    ]


def _omero_channels(spec: ImageSpec, coarsest: zarr.Array[Any]) -> list[dict[str, Any]]:
    channels = []
    for number, channel in enumerate(spec.channels):
        low, high = display_limits(spec, sample_of(spec, coarsest, number))
        limits = (low, high)
        if spec.dtype.kind in "iu":
            limits = (float(np.iinfo(spec.dtype).min), float(np.iinfo(spec.dtype).max))
        window = {"min": min(limits[0], low), "max": max(limits[1], high)}
        channels.append(
            {
                "label": channel_label(spec, number),
                "color": channel_color(spec, number),
                "active": channel.name != "alpha",
                "window": {"start": low, "end": high, **window},
            }
        )
    return channels
