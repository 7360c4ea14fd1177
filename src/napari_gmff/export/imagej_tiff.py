"""Write a result as TIFF files that ImageJ opens without plugins, strip by strip.

ImageJ itself reads no tiles, and so none of the OME-TIFF files; Fiji reads those with Bio-Formats.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import OutputError, SourceError
from napari_gmff.export.atomic import translate_os_errors
from napari_gmff.export.descriptions import description_of
from napari_gmff.export.display import channel_label, display_limits, lookup_table, sample_of
from napari_gmff.export.layout import file_stem
from napari_gmff.export.pyramid import level_shapes
from napari_gmff.export.source_type import xmp_tags
from napari_gmff.export.working import CHUNK_PX, level_array
from napari_gmff.provenance import FILE_NAME
from napari_gmff.reading.stack import Channel, FocusStack
from napari_gmff.reading.tiff_metadata import facts_of_imagej

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import Geometry, ImageSpec
    from napari_gmff.stored_images import StoredImages

_LARGEST_BYTES = 2**32 - 2**24
"""What a classic TIFF holds; ImageJ writes no other."""

_OPEN_PX = 1024


def write_imagej_tiff(result: StoredImages, folder: str | Path) -> list[Path]:
    """Write every image of a result as ``<stem>.tif``, and ``provenance.json``.

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
        If an image is larger than ImageJ's files can be, the disk is full, or the folder cannot
        be written.
    """
    import zarr

    folder = Path(folder)
    group = zarr.open_group(str(result.store_path), mode="r")
    files = []
    with translate_os_errors(folder):
        for spec in result.images.values():
            files.append(folder / f"{file_stem(spec.name)}.tif")
            _check_size(files[-1], spec)
            _write_image(files[-1], group, spec, result.geometry, result.provenance)
        text = json.dumps(result.provenance, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
    return files


def open_imagej_image(file: Path) -> FocusStack:
    """Open one of the files again, lazily.

    Parameters
    ----------
    file : Path
        As `write_imagej_tiff` wrote it. The readers of stacks refuse it: it has no slices.

    Returns
    -------
    FocusStack
        Of one slice: axes (T, C, 1, Y, X[, S]).

    Raises
    ------
    SourceError
        If it is not such a file.
    """
    import dask.array as da
    from tifffile import TiffFile, TiffFileError, memmap

    try:
        with TiffFile(file) as tiff:
            facts, axes = dict(tiff.imagej_metadata or {}), tiff.series[0].axes
            sizes = facts_of_imagej(facts, tiff.pages.first).voxel_size_um
        pixels = memmap(file, mode="r")
        lengths = dict(zip(axes, pixels.shape, strict=True))
        shape = tuple(lengths.get(axis, 1) for axis in "TCZYX")
        chunks = (1, 1, 1, min(_OPEN_PX, shape[3]), min(_OPEN_PX, shape[4]))
        samples = (lengths["S"],) if "S" in lengths else ()
        data = da.from_array(pixels.reshape((*shape, *samples)), chunks=(*chunks, *samples))
    except (OSError, ValueError, KeyError, IndexError, TiffFileError) as error:
        raise SourceError(f"{file}: not a file that this program wrote ({error})") from None
    y_um, x_um = sizes[1:]
    named = facts.get("Labels", ())
    # tifffile gives a single label as it is, and several in a list.
    labels = ([named] if isinstance(named, str) else list(named))[: shape[1]]
    return FocusStack(
        data=data,
        name=file.name,
        voxel_size_um=sizes,
        origin_yx_um=(
            -float(facts.get("yorigin", 0)) * (y_um or 0.0),
            -float(facts.get("xorigin", 0)) * (x_um or 0.0),
        ),
        channels=tuple(Channel(label) for label in labels) if len(labels) == shape[1] else (),
    )


def _check_size(file: Path, spec: ImageSpec) -> None:
    n_bytes = spec.dtype.itemsize * np.prod(spec.shape, dtype=float)
    if n_bytes > _LARGEST_BYTES:
        raise OutputError(
            f"{file}: files of ImageJ end at 4 GB, and this image has {n_bytes / 2**30:.1f} GB; "
            "choose another format"
        )


def _write_image(
    file: Path,
    group: zarr.Group,
    spec: ImageSpec,
    geometry: Geometry,
    provenance: Mapping[str, Any],
) -> None:
    from tifffile import TiffWriter

    # Other colour images are shown as channels: ImageJ's RGB is 3 × 8 bit, without alpha.
    as_rgb = geometry.is_rgb and spec.kind == "intensity" and spec.n_channels == 3
    as_rgb = as_rgb and spec.dtype == np.uint8
    array = level_array(group, spec.name)
    shape = spec.shape
    if as_rgb:
        shape = (*shape[: spec.axes.index("c")], *shape[-2:], 3)
    with TiffWriter(file, imagej=True, byteorder="<") as writer:
        writer.write(
            _strips(array, spec, as_rgb),
            shape=shape,
            dtype=spec.dtype,
            photometric="rgb" if as_rgb else "minisblack",
            metadata={
                **_calibration(spec, geometry),
                **({} if as_rgb else _display(group, spec, provenance)),
                "Labels": _labels(spec, as_rgb),
                "axes": _axes(spec, as_rgb),
                "Info": f"{description_of(spec, provenance)}\n{json.dumps(provenance)}",
            },
            extratags=xmp_tags(spec, spec.title, description_of(spec, provenance)),
            **_resolution(geometry),
        )


def _axes(spec: ImageSpec, as_rgb: bool) -> str:
    return spec.axes.upper().replace("C", "") + "S" if as_rgb else spec.axes.upper()


def _strips(array: zarr.Array[Any], spec: ImageSpec, as_rgb: bool) -> Iterator[bytes]:
    """Yield rows in the order of the file; of compressed files ImageJ forgets the labels."""
    outer = spec.shape[: spec.axes.index("c")] if as_rgb else spec.shape[:-2]
    for leading in np.ndindex(*outer):
        for y in range(0, spec.shape[-2], CHUNK_PX):
            block: NDArray[Any] = np.asarray(
                array[(*leading, ..., slice(y, y + CHUNK_PX), slice(None))]
            )
            rows = np.moveaxis(block, 0, -1) if as_rgb else block
            yield rows.astype(spec.dtype.newbyteorder("<")).tobytes()


def _resolution(geometry: Geometry) -> dict[str, Any]:
    y_um, x_um = geometry.pixel_size_um
    return {} if y_um is None or x_um is None else {"resolution": (1 / x_um, 1 / y_um)}


def _calibration(spec: ImageSpec, geometry: Geometry) -> dict[str, Any]:
    y_um, x_um = geometry.pixel_size_um
    facts: dict[str, Any] = {}
    if y_um is not None and x_um is not None:
        y0_um, x0_um = geometry.origin_um
        facts["unit"] = "um"
        # ImageJ names the pixel at which coordinates are 0.
        facts |= {"xorigin": -x0_um / x_um, "yorigin": -y0_um / y_um}
    if "t" in spec.axes and geometry.time_step_s is not None:
        facts |= {"finterval": geometry.time_step_s, "tunit": "sec"}
    return facts


def _display(group: zarr.Group, spec: ImageSpec, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return names, colours and limits of the channels."""
    coarsest = level_array(group, spec.name, len(level_shapes(spec.shape_yx)) - 1)
    tables: list[NDArray[np.uint8]] = []
    ranges: list[float] = []
    for number in range(spec.n_channels):
        table, limits = lookup_table(spec, number, provenance)
        if spec.kind == "index" and spec.dtype == np.uint8:
            table, limits = _by_value(table, provenance["slices"]["numbers"]), (0.0, 255.0)
        elif spec.kind == "index" and limits is not None:
            limits = (limits[0] + 0.5, limits[1] - 0.5)
        tables.append(np.ascontiguousarray(table.T))
        ranges.extend(limits or display_limits(spec, sample_of(spec, coarsest, number)))
    # The colours of maps mean numbers, and cannot be added.
    of_many = "composite" if spec.kind == "intensity" else "color"
    mode = of_many if spec.n_channels > 1 else "grayscale"
    facts: dict[str, Any] = {"LUTs": tables, "Ranges": tuple(map(float, ranges)), "mode": mode}
    if spec.n_channels == 1:
        facts |= {"min": float(ranges[0]), "max": float(ranges[1])}
    return facts


def _labels(spec: ImageSpec, as_rgb: bool) -> list[str]:
    """Return the name of each plane, in the order of the file."""
    numbers = range(spec.n_channels)
    names = [spec.title] if as_rgb else [channel_label(spec, number) for number in numbers]
    return names * spec.n_times


def _by_value(table: NDArray[np.uint8], numbers: list[int]) -> NDArray[np.uint8]:
    """Return the table of an 8-bit image, which ImageJ looks the pixels up in as they are."""
    n_slices = numbers[-1] - numbers[0] + 1
    by_value = np.zeros((256, 3), np.uint8)
    middles = (2 * np.arange(n_slices) + 1) * 256 // (2 * n_slices)
    by_value[numbers[0] : numbers[-1] + 1] = table[middles]
    return by_value
