"""Write a result as a folder of pyramidal, tiled OME-TIFF files, streamed tile by tile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import OutputError
from napari_gmff.export.atomic import translate_os_errors
from napari_gmff.export.descriptions import description_of, models_of, printable
from napari_gmff.export.display import channel_label
from napari_gmff.export.layout import file_stem
from napari_gmff.export.pyramid import level_shapes
from napari_gmff.export.source_type import mark_texts, xmp_tags
from napari_gmff.export.working import level_array
from napari_gmff.provenance import FILE_NAME

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import Geometry, ImageSpec
    from napari_gmff.stored_images import StoredImages

TILE_PX = 512
NAMESPACE = "napari-gmff/provenance"
MARK_NAMESPACE = "napari-gmff/ai-restored"
"""Of the annotation that an image has which a generative model made."""

# Classic TIFF ends at 4 GiB; compression may fail to shrink noise, and metadata comes on top.
_CLASSIC_LIMIT_BYTES = 3.5 * 2**30


def write_ome_tiff(result: StoredImages, folder: str | Path) -> list[Path]:
    """Write every image of a result as ``<stem>.ome.tif``, and ``provenance.json``.

    The stem is the name, or says what a generative model made; see `file_stem`.

    Parameters
    ----------
    result : StoredImages
        With all pyramid levels, as `finish_ome_zarr` leaves them.
    folder : str or Path
        Existing folder to write to.

    Returns
    -------
    list of Path
        The image files, in the order of ``result.images``.

    Raises
    ------
    OutputError
        If the disk is full, the folder cannot be written, or a pyramid level is missing.
    """
    import zarr

    folder = Path(folder)
    if not folder.is_dir():
        raise OutputError(f"{folder}: must be an existing folder")
    group = zarr.open_group(str(result.store_path), mode="r")
    files = []
    with translate_os_errors(folder):
        for spec in result.images.values():
            files.append(folder / f"{file_stem(spec.name)}.ome.tif")
            _write_image(files[-1], group, spec, result.geometry, result.provenance)
        text = json.dumps(result.provenance, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
    return files


def _write_image(
    file: Path,
    group: zarr.Group,
    spec: ImageSpec,
    geometry: Geometry,
    provenance: Mapping[str, Any],
) -> None:
    from tifffile import TiffWriter

    as_rgb = _is_rgb(spec, geometry)
    shapes = level_shapes(spec.shape_yx)
    options: dict[str, Any] = {
        "tile": (TILE_PX, TILE_PX),
        "compression": "zlib",
        # Differences of neighbours halve the files; few readers undo them for floats.
        "predictor": spec.dtype.kind == "u",
        "photometric": "rgb" if as_rgb else "minisblack",
    }
    if as_rgb and spec.n_channels == 4:
        options["extrasamples"] = ("unassalpha",)
    bytes_needed = spec.dtype.itemsize * np.prod(spec.shape, dtype=float) * 4 / 3
    with TiffWriter(file, ome=True, bigtiff=bool(bytes_needed > _CLASSIC_LIMIT_BYTES)) as writer:
        for level in range(len(shapes)):
            array = level_array(group, spec.name, level)
            if level == 0:
                metadata = _metadata(spec, geometry, provenance, as_rgb)
                tags = xmp_tags(spec, spec.title, description_of(spec, provenance))
                place: dict[str, Any] = {
                    "subifds": len(shapes) - 1,
                    "metadata": metadata,
                    "extratags": tags,
                }
            else:
                place = {"subfiletype": 1, "metadata": None}
            writer.write(
                _tiles(array, spec, as_rgb),
                shape=_tiff_shape(array, spec, as_rgb),
                dtype=spec.dtype,
                **options,
                **place,
                **_resolution(geometry, level),
            )


def _is_rgb(spec: ImageSpec, geometry: Geometry) -> bool:
    return geometry.is_rgb and spec.kind == "intensity" and spec.n_channels in (3, 4)


def _tiff_shape(array: zarr.Array[Any], spec: ImageSpec, as_rgb: bool) -> tuple[int, ...]:
    shape = tuple(int(length) for length in array.shape)
    if as_rgb:
        return (*shape[: spec.axes.index("c")], *shape[-2:], spec.n_channels)
    return shape


def _tiles(array: zarr.Array[Any], spec: ImageSpec, as_rgb: bool) -> Iterator[NDArray[Any]]:
    """Yield tiles of axes YX, or YXS, in the order of the file; each full size."""
    height, width = array.shape[-2:]
    outer = array.shape[: spec.axes.index("c")] if as_rgb else array.shape[:-2]
    for leading in np.ndindex(*outer):
        for y in range(0, height, TILE_PX):
            for x in range(0, width, TILE_PX):
                samples: tuple[slice, ...] = (slice(None),) if as_rgb else ()
                window = (slice(y, y + TILE_PX), slice(x, x + TILE_PX))
                yield _full_tile(np.asarray(array[(*leading, *samples, *window)]))


def _full_tile(block: NDArray[Any]) -> NDArray[Any]:
    missing = [(0, 0)] * (block.ndim - 2) + [(0, TILE_PX - side) for side in block.shape[-2:]]
    # Repeating the edge compresses well and never shows, unlike a fill value some viewers draw.
    tile = np.pad(block, missing, mode="edge") if any(pad for _, pad in missing) else block
    return np.ascontiguousarray(np.moveaxis(tile, 0, -1)) if tile.ndim == 3 else tile


def _resolution(geometry: Geometry, level: int) -> dict[str, Any]:
    y_um, x_um = geometry.pixel_size_um
    if y_um is None or x_um is None:
        return {}
    factor = 2**level
    per_cm = (1e4 / (x_um * factor), 1e4 / (y_um * factor))
    return {"resolution": per_cm, "resolutionunit": "CENTIMETER"}


def _metadata(
    spec: ImageSpec, geometry: Geometry, provenance: Mapping[str, Any], as_rgb: bool
) -> dict[str, Any]:
    """Collect what tifffile turns into OME-XML; it escapes, but keeps control characters."""
    axes = spec.axes.replace("c", "").upper() + "S" if as_rgb else spec.axes.upper()
    metadata: dict[str, Any] = {
        "axes": axes,
        "Name": printable(spec.title),
        "Description": printable(description_of(spec, provenance)),
        "Creator": f"{provenance.get('program', '')} {provenance.get('version', '')}".strip(),
        "Channel": _channels(spec, as_rgb),
        "MapAnnotation": _map_annotations(spec, provenance),
        "CommentAnnotation": {
            "Namespace": NAMESPACE,
            "Description": "How this image was made, as JSON",
            "Value": json.dumps(provenance, allow_nan=False),
        },
    }
    for axis, size_um in zip("YX", geometry.pixel_size_um, strict=True):
        if size_um is not None:
            metadata[f"PhysicalSize{axis}"] = size_um
            metadata[f"PhysicalSize{axis}Unit"] = "µm"
    if geometry.time_step_s is not None and "t" in spec.axes:
        metadata["TimeIncrement"] = geometry.time_step_s
        metadata["TimeIncrementUnit"] = "s"
    planes = spec.n_times * (1 if as_rgb else spec.n_channels)
    metadata["Plane"] = _plane_positions(geometry, planes)
    return metadata


def _map_annotations(spec: ImageSpec, provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    summary = {
        "Namespace": NAMESPACE,
        "Description": "How this image was made, in short",
        "Value": _summary(provenance),
    }
    mark = {
        "Namespace": MARK_NAMESPACE,
        "Description": "A generative model made pixels of this image",
        "Value": mark_texts(spec),
    }
    return [mark, summary] if spec.is_generated else [summary]


def _plane_positions(geometry: Geometry, planes: int) -> dict[str, list[Any]]:
    position: dict[str, list[Any]] = {}
    sizes = zip("YX", geometry.pixel_size_um, geometry.origin_um, strict=True)
    for axis, size_um, origin_um in sizes:
        if size_um is not None:
            position[f"Position{axis}"] = [origin_um] * planes
            position[f"Position{axis}Unit"] = ["µm"] * planes
    return position


def _channels(spec: ImageSpec, as_rgb: bool) -> dict[str, list[Any]]:
    if as_rgb:
        return {"Name": [printable(spec.title)]}
    names = [channel_label(spec, number) for number in range(spec.n_channels)]
    channels: dict[str, list[Any]] = {"Name": [printable(name) for name in names]}
    colors = [channel.color for channel in spec.channels]
    if any(colors):
        channels["Color"] = [_ome_color(color or "FFFFFF") for color in colors]
    return channels


def _ome_color(rrggbb: str) -> int:
    """OME writes RGBA as one signed 32-bit number."""
    rgba = int(rrggbb, 16) << 8 | 0xFF
    return rgba - 2**32 if rgba >= 2**31 else rgba


def _summary(provenance: Mapping[str, Any]) -> dict[str, str]:
    source = provenance.get("source", {})
    weights = provenance.get("weights") or {}
    values = {
        "program": provenance.get("program"),
        "version": provenance.get("version"),
        "date": provenance.get("date"),
        "engine": provenance.get("engine"),
        "weights": weights.get("name"),
        "weights sha256": weights.get("sha256"),
        "source": source.get("name"),
        "source fingerprint": source.get("fingerprint"),
        "pixels copied": provenance.get("pixels_copied"),
        "pixels corrected by hand": provenance.get("corrections", {}).get("n_pixels"),
    }
    for number, model in enumerate(models_of(provenance)):
        values[f"restored by, {number + 1}"] = model.get("title") or model.get("name")
        values[f"restored by, {number + 1}, sha256"] = model.get("sha256")
    return {key: printable(str(value)) for key, value in values.items() if value is not None}
