"""Save a result under a name of the user's, in any format."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.export.atomic import (
    check_not_source,
    is_result,
    staging,
    translate_os_errors,
)
from napari_gmff.export.layout import has_generated
from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import store_root
from napari_gmff.export.zarr_arrays import OmeVersion, ZarrLayout, chosen_shard_px, fill
from napari_gmff.marks import is_restored
from napari_gmff.params import FORMATS, FuseParams, validated
from napari_gmff.provenance import read_provenance

if TYPE_CHECKING:
    from collections.abc import Collection

    import zarr

    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.stored_images import StoredImages


def save_result(
    result: StoredImages,
    out: Path,
    format: str,
    overwrite: bool,
    *,
    depth_min_confidence: float | None = None,
    images: Collection[str] | None = None,
    shard_px: Literal["auto"] | int | None = None,
) -> Path:
    """Write a result; see `StoredImages.save`."""
    check_format(format, "auto" if shard_px is None else shard_px)
    check_not_source(out, [result.store_path])
    if overwrite and has_generated(result.images, result.provenance):
        check_replaces_no_fusion(out)
    if shard_px is not None:
        result = _with_parameter(result, "shard_px", shard_px)
    if images is not None:
        result = _with_images(result, images)
    if depth_min_confidence is not None:
        result = _with_least_confidence(result, depth_min_confidence)
    with staging(out, overwrite) as partial:
        if format in ("ome-tiff", "imagej"):
            _write_files(result, partial, format)
        else:
            write_zarr(result, partial, layout_of(result, "0.5" if format == "ome-zarr" else "0.4"))
    return out


def check_format(format: str, shard_px: Literal["auto"] | int = "auto") -> None:
    """Check that there is a format, and that it can have the shards that are asked for.

    Raises
    ------
    ParameterError
        If not.
    """
    if format not in FORMATS:
        raise ParameterError(f"format: must be one of {', '.join(FORMATS)}, got {format!r}")
    wanted = validated(FuseParams, {"shard_px": shard_px}).shard_px
    if format != "ome-zarr" and wanted not in ("auto", 0):
        raise ParameterError(f"shard_px: only OME-Zarr 0.5 has shards, got {wanted} for {format}")


def check_replaces_no_fusion(out: Path) -> None:
    """Refuse a restoration the place of a fusion, which is what was measured.

    Parameters
    ----------
    out : Path
        Where the restoration is to go.

    Raises
    ------
    OutputError
        If a fusion is there, even where results may be replaced.
    """
    if out.is_dir() and is_result(out) and not is_restored(read_provenance(out)):
        raise OutputError(
            f"{out}: holds a fusion, and a restoration never replaces a fusion; give another name"
        )


def _with_images(result: StoredImages, names: Collection[str]) -> StoredImages:
    wanted = [spec for name, spec in result.images.items() if name in names]
    if not wanted:
        raise ParameterError(f"images: some of {', '.join(result.images)}, got {sorted(names)}")
    # Without these nobody could tell depth from no data, what a person chose, or what a model made.
    others = {"corrected", *("confidence" for spec in wanted if spec.kind == "depth")}
    if any(spec.is_generated for spec in wanted):
        others |= {"fused", "restoration_mask"}
    kept = {name: spec for name, spec in result.images.items() if name in others or spec in wanted}
    return replace(result, images=kept, is_temporary=False)


def _with_least_confidence(result: StoredImages, least: float) -> StoredImages:
    if not 0 <= least <= 1:
        raise ParameterError(f"depth_min_confidence: must be from 0 to 1, got {least}")
    return _with_parameter(result, "depth_min_confidence", least)


def _with_parameter(result: StoredImages, name: str, value: object) -> StoredImages:
    """Note a parameter in the record, so that the saved result says what was done to it."""
    parameters: dict[str, Any] = {**result.provenance.get("parameters", {}), name: value}
    provenance = {**result.provenance, "parameters": parameters}
    return replace(result, provenance=provenance, is_temporary=False)


def layout_of(result: StoredImages, version: OmeVersion) -> ZarrLayout:
    """Return how a result is stored as OME-Zarr; shards that were asked for need 0.5."""
    if version == "0.4":
        return ZarrLayout(version)
    wanted = result.provenance.get("parameters", {}).get("shard_px", "auto")
    return ZarrLayout(version, chosen_shard_px(wanted, version, result.images.values()))


def write_zarr(result: StoredImages, folder: Path, layout: ZarrLayout) -> None:
    """Write a result to an empty folder as OME-Zarr.

    Parameters
    ----------
    result : StoredImages
        Stored in whatever way.
    folder : Path
        Exists, and is empty.
    layout : ZarrLayout
        How its arrays are stored.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    import zarr

    specs = result.images.values()
    with translate_os_errors(folder):
        group = zarr.open_group(str(folder), mode="a", zarr_format=layout.zarr_format)
        for spec in specs:
            group.create_group(spec.name)
            copy_image(result, spec, group, layout)
    finish_ome_zarr(
        folder, specs, result.geometry, result.provenance, shard_px=layout.shard_px or 0
    )


def copy_image(
    result: StoredImages, spec: ImageSpec, group: zarr.Group, layout: ZarrLayout
) -> None:
    """Copy full resolution of one image, file by file where they are stored alike.

    Parameters
    ----------
    result : StoredImages
        Holds the image.
    spec : ImageSpec
        The image.
    group : zarr.Group
        Receives ``<name>/0``; has a group of that name, and is a local folder.
    layout : ZarrLayout
        How it is to be stored there.
    """
    import zarr

    place = result.store_path / spec.name / "0"
    stored = zarr.open_array(str(place), mode="r")
    if layout.is_that_of(stored):
        copy_files(place, store_root(group) / spec.name / "0")
        return
    array = layout.create(group, f"{spec.name}/0", spec, spec.shape_yx)
    fill(array, lambda region: np.asarray(stored[region]))


def _write_files(result: StoredImages, folder: Path, format: str) -> None:
    """Make the pyramid in a hidden store that goes away, then the files from it."""
    from napari_gmff.export.imagej_tiff import write_imagej_tiff
    from napari_gmff.export.ome_tiff import write_ome_tiff

    with tempfile.TemporaryDirectory(prefix=".store-", dir=folder) as scratch:
        store = Path(scratch) / "store"
        with translate_os_errors(folder):
            store.mkdir()
        write_zarr(result, store, ZarrLayout())
        write = write_ome_tiff if format == "ome-tiff" else write_imagej_tiff
        write(replace(result, store_path=store, is_temporary=False), folder)


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder with all that is in it to `target`, which must not exist yet."""
    # shutil.copytree goes on after a full disk, and then raises an error that names no reason.
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            copy_files(entry, target / entry.name)
        else:
            shutil.copyfile(entry, target / entry.name)
