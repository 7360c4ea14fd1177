"""Save a result under a name of the user's, in either format."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError
from napari_gmff.export.atomic import check_not_source, staging, translate_os_errors
from napari_gmff.export.ome_zarr import finish_ome_zarr

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_gmff.results import FusionResult


def save_result(
    result: FusionResult,
    out: Path,
    format: str,
    overwrite: bool,
    depth_min_confidence: float | None = None,
    images: Collection[str] | None = None,
) -> Path:
    """Write a result; see `FusionResult.save`."""
    if format not in ("ome-zarr", "ome-tiff"):
        raise ParameterError(f"format: must be ome-zarr or ome-tiff, got {format!r}")
    check_not_source(out, [result.store_path])
    if images is not None:
        result = _with_images(result, images)
    if depth_min_confidence is not None:
        result = _with_least_confidence(result, depth_min_confidence)
    with staging(out, overwrite) as partial:
        if format == "ome-zarr":
            _write_zarr(result, partial)
        else:
            _write_tiff(result, partial)
    return out


def _with_images(result: FusionResult, names: Collection[str]) -> FusionResult:
    wanted = [spec for name, spec in result.images.items() if name in names]
    if not wanted:
        raise ParameterError(f"images: some of {', '.join(result.images)}, got {sorted(names)}")
    # Without these two nobody could tell depth from no data, or what a person chose.
    others = {"corrected", *("confidence" for spec in wanted if spec.kind == "depth")}
    kept = {name: spec for name, spec in result.images.items() if name in others or spec in wanted}
    return replace(result, images=kept, is_temporary=False)


def _with_least_confidence(result: FusionResult, least: float) -> FusionResult:
    """Note the threshold in the record, so that the saved result says what was done to it."""
    if not 0 <= least <= 1:
        raise ParameterError(f"depth_min_confidence: must be from 0 to 1, got {least}")
    if not result.pixels_copied:
        raise ParameterError(f"depth_min_confidence: there is no depth, {result.why_no_choice}")
    parameters: dict[str, Any] = {
        **result.provenance.get("parameters", {}),
        "depth_min_confidence": least,
    }
    provenance = {**result.provenance, "parameters": parameters}
    return replace(result, provenance=provenance, is_temporary=False)


def _write_zarr(result: FusionResult, folder: Path) -> None:
    import zarr

    with translate_os_errors(folder):
        group = zarr.open_group(str(folder), mode="a", zarr_format=3)
        for name in result.images:
            group.create_group(name)
            copy_files(result.store_path / name / "0", folder / name / "0")
    finish_ome_zarr(folder, result.images.values(), result.geometry, result.provenance)


def _write_tiff(result: FusionResult, folder: Path) -> None:
    """Make the pyramid in a hidden store that goes away, then the files from it."""
    from napari_gmff.export.ome_tiff import write_ome_tiff

    with tempfile.TemporaryDirectory(prefix=".store-", dir=folder) as scratch:
        store = Path(scratch) / "store"
        with translate_os_errors(folder):
            store.mkdir()
        _write_zarr(result, store)
        write_ome_tiff(replace(result, store_path=store, is_temporary=False), folder)


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder with all that is in it to `target`, which must not exist yet."""
    # shutil.copytree goes on after a full disk, and then raises an error that names no reason.
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            copy_files(entry, target / entry.name)
        else:
            shutil.copyfile(entry, target / entry.name)
