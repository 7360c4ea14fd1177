"""Images as one stack: a file for each slice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.arrays import OrderedArray
from napari_gmff.reading.axes import AxisPlan, check_dtype
from napari_gmff.reading.generated import is_generated_picture, is_generated_tiff, with_mark
from napari_gmff.reading.image_files import ImageHeader, decode_image, kind_of, read_header
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.plane_cache import CachedPlanes
from napari_gmff.reading.planes import PlaneArray, lazy_array
from napari_gmff.reading.stack import FocusStack
from napari_gmff.reading.storage import Storage, storage_of_tiff
from napari_gmff.reading.tiff import facts_of
from napari_gmff.reading.tiff_arrays import open_levels
from napari_gmff.reading.tiff_check import check_pages
from napari_gmff.reading.tiff_open import OpenedTiff, open_tiff

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray
    from tifffile import TiffPage


@dataclass(frozen=True)
class TiffSlice:
    """The one page of a TIFF that is a slice.

    Attributes
    ----------
    opened : OpenedTiff
        Its headers.
    plan : AxisPlan
        Meaning of the axes of the page.
    shape : tuple of int
        (Y, X), (Y, X, 3) or (Y, X, 4).
    dtype : numpy.dtype
        Pixel type.
    """

    opened: OpenedTiff
    plan: AxisPlan
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def page(self) -> TiffPage:
        """Where the pixels are."""
        return self.opened.series[0].keyframe


Slice = ImageHeader | TiffSlice


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
    slices: list[Slice] = []
    for path in paths:
        slices.append(_slice(path, len(paths)))
        _check_alike((paths[0], slices[0]), (path, slices[-1]))
    _check_axes(label, axes, slices[0].shape)
    first = slices[0]
    size_yx = facts_of(first.opened, 0).voxel_size_um[1:] if isinstance(first, TiffSlice) else ()
    with ExitStack() as undo:
        data = _tiff_slices(slices, label, undo)
        if data is None:
            data = _whole_slices(slices, label, undo)
        closing = undo.pop_all()
    headers = [one for one in slices if isinstance(one, ImageHeader)]
    stack = FocusStack(
        data=data,
        name=name,
        voxel_size_um=(None, *(size_yx or (None, None))),
        metadata={"reader": "images", "files": [path.name for path in paths]},
        notes=notes + tuple(dict.fromkeys(one.note for one in headers if one.note)),
        storage=_storage(paths, slices),
        _close=closing.close,
    )
    return with_mark(stack) if any(map(_is_generated, slices)) else stack


def _is_generated(one: Slice) -> bool:
    if isinstance(one, TiffSlice):
        return is_generated_tiff(one.opened, 0)
    return is_generated_picture(one.path)


def _storage(paths: Sequence[Path], slices: Sequence[Slice]) -> Storage:
    kinds = {one.kind.upper() if isinstance(one, ImageHeader) else "TIFF" for one in slices}
    kind = f"{len(paths)} {' and '.join(sorted(kinds))} images"
    first = slices[0]
    if isinstance(first, TiffSlice):
        storage = storage_of_tiff(first.opened.series[0], kind)
        return replace(storage, files=tuple(paths))
    codec = "jpeg" if first.kind == "jpeg" else "deflate"
    return Storage(kind, codec, (first.shape[0], first.shape[1]), "whole slices", tuple(paths))


def _tiff_slices(slices: Sequence[Slice], label: str, closing: ExitStack) -> da.Array | None:
    """Slices as the pages of one series that is read in parts; None if they are too different."""
    from tifffile import TiffPageSeries

    tiffs = [one for one in slices if isinstance(one, TiffSlice)]
    if len(tiffs) < len(slices) or len({one.page.hash for one in tiffs}) > 1:
        return None
    page = tiffs[0].page
    series = TiffPageSeries(
        [one.page for one in tiffs],
        shape=(len(tiffs), *page.shape),
        dtype=page.dtype,
        axes="Q" + page.axes,
        multifile=True,
        squeeze=False,
    )
    plan = AxisPlan(("Z", *tiffs[0].plan.letters))
    return open_levels(series, plan, label, closing)[0]


def _whole_slices(slices: Sequence[Slice], label: str, closing: ExitStack) -> da.Array:
    """Slices that are decoded whole, once each, and kept."""

    def decode(index: int, rows: tuple[int, int]) -> NDArray[np.generic]:
        one = slices[index]
        found = decode_image(one) if isinstance(one, ImageHeader) else _decode_tiff(one)
        return found[slice(*rows)]

    kept = CachedPlanes(decode, len(slices), slices[0].shape, slices[0].dtype, name=label)
    closing.callback(kept.close)
    return lazy_array(PlaneArray(kept, (1, 1, len(slices))))


def _decode_tiff(one: TiffSlice) -> NDArray[np.generic]:
    file = one.page.parent.filehandle
    try:
        file.open()
        # Pixels of other axes than the header promised are damage too.
        return OrderedArray(one.page.asarray(), one.plan, one.opened.name)[0, 0, 0]
    # Decoders raise whatever they like; all of it means that the file is damaged.
    except Exception as error:
        raise SourceError(f"{one.opened.name}: damaged TIFF ({first_line(error)})") from error
    finally:
        file.close()


def _slice(path: Path, n_paths: int) -> Slice:
    if path.is_dir():
        raise SourceError(
            f"{path}: several stacks were given ({n_paths} sources, this one a folder); fuse "
            "them one by one"
        )
    kind = kind_of(path)
    if kind is None:
        raise SourceError(f"{path}: not an image that can be read (PNG, JPEG or TIFF)")
    if kind != "tiff":
        return read_header(path, kind)
    opened = open_tiff(path)
    n_images = sum(int(np.prod(one.get_shape(squeeze=False)[:-3])) for one in opened.series)
    if opened.n_pages > 1 or len(opened.series) > 1:
        raise SourceError(
            f"{path}: several stacks were given ({n_paths} files, this one with "
            f"{max(opened.n_pages, n_images)} images); fuse them one by one"
        )
    return _tiff_slice(path, opened)


def _tiff_slice(path: Path, opened: OpenedTiff) -> TiffSlice:
    """Take the only slice of a TIFF, which must hold no more."""
    series = opened.series[0]
    dtype = check_dtype(str(path), series.dtype)
    letters: list[str] = []
    lengths: list[int] = []
    file_axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    for letter, length in zip(file_axes, shape, strict=True):
        if letter in ("Y", "X") or (letter == "S" and length in (3, 4)):
            letters.append(letter)
            lengths.append(int(length))
        elif length != 1:
            raise SourceError(
                f"{path}: several stacks were given, this file alone has {length} images along "
                f"{letter}; fuse them one by one"
            )
    if 0 in lengths:
        raise SourceError(f"{path}: every axis must have a length above 0, found {lengths}")
    in_order = tuple(lengths[letters.index(letter)] for letter in "YXS" if letter in letters)
    check_pages([series.keyframe], 1, str(path))
    return TiffSlice(opened, AxisPlan(tuple(letters)), in_order, dtype)


def _check_alike(first: tuple[Path, Slice], other: tuple[Path, Slice]) -> None:
    (path, one), (first_path, first_one) = other, first
    if (one.shape, one.dtype) != (first_one.shape, first_one.dtype):
        described = [
            f"{' × '.join(map(str, each.shape))} {each.dtype}" for each in (first_one, one)
        ]
        raise SourceError(
            f"{path}: slices must all have the same size and pixel type, found {described[1]} "
            f"but {first_path.name} has {described[0]}"
        )


def _check_axes(label: str, axes: str | None, shape: tuple[int, ...]) -> None:
    expected = "ZYX" if len(shape) == 2 else "ZYXS"
    if axes is not None and axes.strip().upper() != expected:
        raise SourceError(f"{label}: the axes of images as slices are {expected}, got {axes!r}")
