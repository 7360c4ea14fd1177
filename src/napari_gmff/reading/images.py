"""A folder, pattern or list of images as one stack: a file for each slice."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import AxisPlan, check_dtype
from napari_gmff.reading.byte_ranges import ByteRanges
from napari_gmff.reading.image_files import ImageHeader, decode_image, kind_of, read_header
from napari_gmff.reading.plane_cache import CachedPlanes
from napari_gmff.reading.planes import PlaneArray, PlaneReader, lazy_array
from napari_gmff.reading.stack import FocusStack
from napari_gmff.reading.tiff import TiffLevels, facts_of, read_tiff
from napari_gmff.reading.tiff_open import OpenedTiff, open_tiff

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_NAMES = 5
"""Ignored files that are named; the rest are counted."""


class ImageSlices:
    """Plane reader over a file for each plane.

    Parameters
    ----------
    sources : sequence of ImageHeader or PlaneArray
        Images that are decoded whole, or TIFF pages that can be read in parts.
    name : str
        Name of the stack, for messages.
    """

    def __init__(self, sources: Sequence[ImageHeader | PlaneArray], name: str) -> None:
        self._sources = sources
        first = sources[0]
        self.dtype = first.dtype
        self.plane_shape = first.shape if isinstance(first, ImageHeader) else first.shape[3:]
        tiles = [
            source.reader.tile_yx
            for source in sources
            if isinstance(source, PlaneArray) and not _is_whole(source.reader)
        ]
        height, width = self.plane_shape[:2]
        self.tile_yx = tiles[0] if len(tiles) == len(sources) else (height, width)
        self._whole = CachedPlanes(
            self._decode, len(sources), self.plane_shape, self.dtype, name=name
        )

    def read(
        self, plane: int, rows: tuple[int, int], columns: tuple[int, int]
    ) -> NDArray[np.generic]:
        """Read a window (y, x[, s]) of a slice."""
        source = self._sources[plane]
        if isinstance(source, PlaneArray) and not _is_whole(source.reader):
            return source[0, 0, 0, slice(*rows), slice(*columns)]
        return self._whole.read(plane, rows, columns)

    def close(self) -> None:
        """Forget what was decoded."""
        self._whole.close()

    def _decode(self, plane: int, rows: tuple[int, int]) -> NDArray[np.generic]:
        source = self._sources[plane]
        if isinstance(source, ImageHeader):
            return decode_image(source)[slice(*rows)]
        return source[0, 0, 0, slice(*rows)]


def read_folder(folder: Path, *, series: int = 0, axes: str | None = None) -> FocusStack:
    """Open the images of a folder as slices; a folder with one image is a stack of one slice.

    Raises
    ------
    SourceError
        If it holds no images, several stacks, or images that do not fit one another.
    """
    entries = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    visible = [path for path in entries if not path.name.startswith(".")]
    images, others = _images_among([path for path in visible if path.is_file()])
    folders = [path for path in visible if path.is_dir()]
    if not images:
        inside = f", only {len(folders)} folders; give one of them" if folders else ""
        raise SourceError(f"{folder}: the folder must hold images, found none{inside}")
    if len(images) == 1 and kind_of(images[0]) == "tiff" and open_tiff(images[0]).n_pages > 1:
        return read_tiff(images[0], series=series, axes=axes)
    whole = _linked_set(images)
    if whole is not None:
        return read_tiff(whole, series=series, axes=axes)
    if series != 0:
        raise SourceError(
            f"{folder}: series must be below 1 (a folder of images has 1 series), got {series}"
        )
    return read_images(
        images, name=folder.resolve().name, label=str(folder), axes=axes, notes=_ignored(others)
    )


def read_glob(pattern: str, *, axes: str | None = None) -> FocusStack:
    """Open the images whose names match a pattern.

    Raises
    ------
    SourceError
        If none matches, or they do not fit one another.
    """
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]
    found.sort(key=lambda path: natural_key(str(path)))
    images, others = _images_among([path for path in found if path.is_file()])
    if not images:
        raise SourceError(f"{pattern}: the pattern must match images, found none")
    folders = {path.resolve().parent for path in images}
    name = folders.pop().name if len(folders) == 1 else Path(pattern).name
    return read_images(images, name=name, label=pattern, axes=axes, notes=_ignored(others))


def read_images(
    paths: Sequence[Path],
    *,
    name: str,
    label: str | None = None,
    axes: str | None = None,
    notes: tuple[str, ...] = (),
) -> FocusStack:
    """Open images as slices, in the order given.

    Parameters
    ----------
    paths : sequence of Path
        PNG, JPEG or TIFF with a single image each, all of one size and pixel type.
    name : str
        Name of the stack.
    label : str, optional
        What messages call it.
    axes : str, optional
        Must be ZYX, or ZYXS for colour images: images are slices.
    notes : tuple of str
        What is to be told besides.

    Raises
    ------
    SourceError
        If a file is no image or truncated, or the images do not fit one another.
    """
    label = label or name
    sources: list[ImageHeader | PlaneArray] = []
    # All files share a few open handles: there may be more files than a process may open.
    files = ByteRanges()
    closers: list[Callable[[], None]] = [files.close]
    size_yx: tuple[float | None, float | None] = (None, None)
    try:
        for path in paths:
            source, opened = _source(path, len(paths), files)
            if opened is not None and not sources:
                size_yx = facts_of(opened, 0).voxel_size_um[1:]
            if sources:
                _check_alike((paths[0], sources[0]), (path, source))
            sources.append(source)
        reader = ImageSlices(sources, label)
    except BaseException:
        _call_all(closers)
        raise
    closers.append(reader.close)
    _check_axes(label, axes, reader)
    headers = [source for source in sources if isinstance(source, ImageHeader)]
    return FocusStack(
        data=lazy_array(PlaneArray(reader, np.arange(len(sources)).reshape(1, 1, -1))),
        name=name,
        voxel_size_um=(None, *size_yx),
        metadata={"reader": "images", "files": [path.name for path in paths]},
        notes=notes + tuple(dict.fromkeys(one.note for one in headers if one.note)),
        _close=lambda: _call_all(closers),
    )


def natural_key(name: str) -> tuple[Any, ...]:
    """Sort key that puts ``a2`` before ``a10``, whatever the case of letters."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*(int(part) if part.isdecimal() else part for part in parts), name)


def _call_all(closers: Sequence[Callable[[], None]]) -> None:
    for close in closers:
        close()


def _source(
    path: Path, n_paths: int, files: ByteRanges
) -> tuple[ImageHeader | PlaneArray, OpenedTiff | None]:
    if path.is_dir():
        raise SourceError(
            f"{path}: several stacks were given ({n_paths} sources, this one a folder); fuse "
            "them one by one"
        )
    kind = kind_of(path)
    if kind is None:
        raise SourceError(f"{path}: not an image that can be read (PNG, JPEG or TIFF)")
    if kind != "tiff":
        return read_header(path, kind), None
    opened = open_tiff(path)
    n_images = sum(int(np.prod(one.get_shape(squeeze=False)[:-3])) for one in opened.series)
    if opened.n_pages > 1 or len(opened.series) > 1:
        raise SourceError(
            f"{path}: several stacks were given ({n_paths} files, this one with "
            f"{max(opened.n_pages, n_images)} images); fuse them one by one"
        )
    levels = TiffLevels(str(path), _slice_plan(path, opened), files)
    return levels.plane_array(opened.series[0], keep=False), opened


def _slice_plan(path: Path, opened: OpenedTiff) -> AxisPlan:
    """Meaning of the axes of a TIFF that holds one slice."""
    series = opened.series[0]
    check_dtype(str(path), series.dtype)
    file_axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    letters = []
    for letter, length in zip(file_axes, shape, strict=True):
        if letter in ("Y", "X") or (letter == "S" and length in (3, 4)):
            letters.append(letter)
        elif length == 1:
            letters.append("")
        else:
            raise SourceError(
                f"{path}: several stacks were given, this file alone has {length} images along "
                f"{letter}; fuse them one by one"
            )
    return AxisPlan(tuple(letters))


def _linked_set(images: Sequence[Path]) -> Path | None:
    """First file of a multi-file OME-TIFF, if that is what all the images are."""
    if len(images) < 2 or any(kind_of(path) != "tiff" for path in images):
        return None
    opened = open_tiff(images[0])
    together = {images[0].name, *opened.linked}
    return images[0] if opened.linked and together == {path.name for path in images} else None


def _images_among(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    images: list[Path] = []
    others: list[Path] = []
    for path in paths:
        (others if kind_of(path) is None else images).append(path)
    return images, others


def _ignored(others: Sequence[Path]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(path.name for path in others[:MOST_NAMES])
    more = f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
    return (f"Not images, ignored: {names}{more}.",)


def _check_alike(
    first: tuple[Path, ImageHeader | PlaneArray], other: tuple[Path, ImageHeader | PlaneArray]
) -> None:
    (path, source), (first_path, first_source) = other, first
    shapes = [
        one.shape if isinstance(one, ImageHeader) else one.shape[3:]
        for one in (first_source, source)
    ]
    if shapes[0] != shapes[1] or first_source.dtype != source.dtype:
        described = [
            f"{' × '.join(map(str, shape))} {one.dtype}"
            for shape, one in zip(shapes, (first_source, source), strict=True)
        ]
        raise SourceError(
            f"{path}: slices must all have the same size and pixel type, found {described[1]} "
            f"but {first_path.name} has {described[0]}"
        )


def _check_axes(label: str, axes: str | None, reader: ImageSlices) -> None:
    expected = "ZYX" if len(reader.plane_shape) == 2 else "ZYXS"
    if axes is not None and axes.strip().upper() != expected:
        raise SourceError(f"{label}: the axes of images as slices are {expected}, got {axes!r}")


def _is_whole(reader: PlaneReader) -> bool:
    """Whether a TIFF page is better decoded once and kept."""
    return getattr(reader, "band_rows", None) is not None
