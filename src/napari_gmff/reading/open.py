"""`read_stack`: one door for every source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.reading.addresses import check_remote, is_remote
from napari_gmff.reading.axes import HINT
from napari_gmff.reading.messages import note_of_more
from napari_gmff.reading.planes import evenly

if TYPE_CHECKING:
    from napari_gmff.params import ReadParams
    from napari_gmff.reading.positions import Position
    from napari_gmff.reading.stack import FocusStack

VoxelSize = tuple[float | None, float | None, float | None]


def read_stack(
    source: Any,
    *,
    series: int | None = None,
    position: int | str | None = None,
    axes: str | None = None,
    voxel_size_um: VoxelSize | None = None,
    allow_remote: bool = False,
) -> FocusStack:
    """Open a focus stack lazily.

    Parameters
    ----------
    source : path, sequence of paths, Position, or array
        OME-TIFF, ImageJ, Micro-Manager, MetaMorph, LSM or plain TIFF; OME-Zarr 0.4 or 0.5; CZI,
        LIF or ND2, with the extra ``vendor``; a folder, glob pattern or list of images, one for
        each slice (PNG, JPEG or TIFF, in natural order of their names); a `Position` of
        `list_positions`; or a numpy, dask or zarr array.
    series : int, optional
        Which image of a source with several, from 0, thumbnails and labels included.
    position : int or str, optional
        Which stack of a source with several, by name or by number from 0; see `list_positions`.
        Without series and position the first is read, with a note if there are more.
    axes : str, optional
        One letter of T C Z Y X S for each axis of the source, overriding what it says;
        required for arrays.
    voxel_size_um : tuple of (float or None), optional
        Size (z, y, x) in µm, overriding the source's; None keeps what the source says.
    allow_remote : bool
        Permit addresses of OME-Zarr (http, https, s3 ...).

    Returns
    -------
    FocusStack
        Data of axes (T, C, Z, Y, X[, S]), uint8, uint16, int16 or float32. Sizes that the
        source does not state stay unknown.

    Raises
    ------
    SourceError
        If the source cannot be read or is no focus stack; one sentence says why.
    ParameterError
        If a parameter is outside its limits, or there is no such position.
    """
    from napari_gmff.params import ReadParams, validated

    options = {
        "series": series,
        "position": position,
        "axes": axes,
        "voxel_size_um": voxel_size_um,
        "allow_remote": allow_remote,
    }
    params = validated(
        ReadParams, {key: value for key, value in options.items() if value is not None}
    )
    chosen = None if series is None else params.series
    try:
        if params.position is not None:
            source = _found_position(source, params)
        stack = _opened(source, chosen, params.axes, params.allow_remote)
    except OSError as error:
        raise SourceError(
            f"{error.filename or source}: cannot be read ({error.strerror or error})"
        ) from None
    if params.voxel_size_um is not None:
        stack = _with_voxel_size(stack, params.voxel_size_um)
    if stack.n_slices == 1 and stack.n_times > 1:
        hint = f"The stack has 1 slice and {stack.n_times} time points; {HINT.format('T')}."
        stack = replace(stack, notes=(*stack.notes, hint))
    return stack


def list_series(source: Any, *, allow_remote: bool = False) -> list[str]:
    """Names of the images of a source, in the order that `series` counts them.

    Parameters
    ----------
    source : path
        As for `read_stack`.
    allow_remote : bool
        Permit addresses of OME-Zarr.

    Returns
    -------
    list of str
        One name for each series.
    """
    from napari_gmff.reading.folders import tiff_of_folder
    from napari_gmff.reading.image_files import kind_of
    from napari_gmff.reading.ome_zarr import image_names, is_zarr
    from napari_gmff.reading.tiff_open import open_tiff, series_names
    from napari_gmff.reading.vendor import vendor_kind, vendor_series

    if isinstance(source, str | os.PathLike):
        if is_remote(source):
            check_remote(str(source), allow_remote)
            return image_names(str(source))
        path = Path(source)
        if is_zarr(path):
            return image_names(str(path))
        if path.is_dir():
            path = tiff_of_folder(path) or path
        is_companion = path.name.lower().endswith(".companion.ome")
        if path.is_file() and (is_companion or kind_of(path) == "tiff"):
            return series_names(open_tiff(path))
        vendor = vendor_kind(path) if path.is_file() else None
        if vendor is not None:
            return vendor_series(path, vendor)
    return [read_stack(source, allow_remote=allow_remote).name]


def _found_position(source: Any, params: ReadParams) -> Position:
    from napari_gmff.reading.positions import find_position, list_positions

    if params.series:
        raise ParameterError(
            f"position: must be left out where a series is named, got {params.position!r} and "
            f"series {params.series}"
        )
    found = list_positions(source, axes=params.axes, allow_remote=params.allow_remote)
    return find_position(found, str(params.position), source)


def _opened(source: Any, series: int | None, axes: str | None, allow_remote: bool) -> FocusStack:
    from napari_gmff.reading.arrays import is_array, read_array
    from napari_gmff.reading.images import read_images
    from napari_gmff.reading.positions import Position

    if isinstance(source, Position):
        number = source.series if series is None else series
        stack = _opened(source.source, number, axes, allow_remote)
        # What stands before a slash would be taken for a folder.
        name = f"{source.of} {source.name}".replace("/", "_")
        return replace(stack, name=name) if source.of else stack
    if isinstance(source, str | os.PathLike):
        return _opened_path(os.fspath(source), series, axes, allow_remote)
    if is_array(source):
        _only_series(series, "array")
        return read_array(source, axes=axes)
    if isinstance(source, Sequence):
        paths = [os.fspath(item) for item in source if isinstance(item, str | os.PathLike)]
        if len(paths) != len(source) or not paths:
            raise SourceError(
                f"a list of sources must hold the paths of at least one image, got {source!r:.200}"
            )
        for path in paths:
            if is_remote(path):
                check_remote(path, False)
        if len(paths) == 1:
            return _opened_path(paths[0], series, axes, allow_remote)
        _only_series(series, "list of images")
        return read_images([Path(path) for path in paths], name=_list_name(paths), axes=axes)
    raise SourceError(
        f"a source must be a path, a list of paths or an array, got {type(source).__name__}"
    )


def _opened_path(
    source: str | bytes, series: int | None, axes: str | None, remote: bool
) -> FocusStack:
    from napari_gmff.reading.folders import numbered_folders, read_folder, read_glob
    from napari_gmff.reading.image_files import kind_of
    from napari_gmff.reading.ome_zarr import is_zarr, read_ome_zarr
    from napari_gmff.reading.tiff import read_tiff
    from napari_gmff.reading.vendor import read_vendor, vendor_kind

    text = os.fsdecode(source)
    if is_remote(text):
        check_remote(text, remote)
        return read_ome_zarr(text, series=series, axes=axes)
    path = Path(text)
    if not text or "\x00" in text or not path.exists():
        if text and any(sign in text for sign in "*?["):
            _only_series(series, text)
            return read_glob(text, axes=axes)
        raise SourceError(f"{text or repr(text)}: no such file or folder")
    if is_zarr(path):
        return read_ome_zarr(text, series=series, axes=axes)
    if path.is_dir():
        folders = numbered_folders(path)
        if not folders:
            return read_folder(path, series=series, axes=axes)
        _only_series(series, text)
        stack = _opened_path(str(folders[0]), series, axes, remote)
        return replace(stack, notes=stack.notes + note_of_more([one.name for one in folders]))
    kind = kind_of(path)
    if kind == "tiff" or path.name.lower().endswith(".companion.ome"):
        return read_tiff(path, series=series, axes=axes)
    vendor = vendor_kind(path) if kind is None else None
    if vendor is not None:
        return read_vendor(path, vendor, series=series, axes=axes)
    if kind is None:
        raise SourceError(
            f"{text}: not an image that can be read (TIFF, OME-Zarr, PNG, JPEG, CZI, LIF or ND2)"
        )
    raise SourceError(
        f"{text}: a focus stack needs a Z axis, a {kind.upper()} file holds a single image; "
        "give a folder, a list or a pattern of images"
    )


def _only_series(series: int | None, what: str) -> None:
    if series:
        raise SourceError(f"{what}: series must be below 1 (it has 1 series), got {series}")


def _list_name(paths: Sequence[str]) -> str:
    folders = {Path(path).resolve().parent for path in paths}
    return folders.pop().name if len(folders) == 1 else Path(paths[0]).name


def _with_voxel_size(stack: FocusStack, wanted: VoxelSize) -> FocusStack:
    """Override the parts given; the direction of the slices stays as the source says."""
    size = tuple(
        new if new is not None else old
        for new, old in zip(wanted, stack.voxel_size_um, strict=True)
    )
    positions = stack.z_positions_um
    if wanted[0] is not None:
        falls = positions is not None and positions[-1] < positions[0]
        positions = evenly(stack.n_slices, -wanted[0] if falls else wanted[0])
    return replace(stack, voxel_size_um=size, z_positions_um=positions)  # type: ignore[arg-type]
