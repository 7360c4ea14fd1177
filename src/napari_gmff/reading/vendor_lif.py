"""Leica LIF through the package liffile: it reads the header, numpy maps the pixels."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from liffile import LifFile

from napari_gmff.errors import SourceError
from napari_gmff.reading.arrays import Lease, OrderedArray, as_dask
from napari_gmff.reading.axes import axes_that_count, check_dtype, plan_axes
from napari_gmff.reading.ome_xml import screen_xml
from napari_gmff.reading.planes import evenly
from napari_gmff.reading.stack import Channel, FocusStack
from napari_gmff.reading.storage import Storage
from napari_gmff.reading.tiff_arrays import MappedPages
from napari_gmff.reading.tiff_metadata import finite
from napari_gmff.reading.units import um_per_unit
from napari_gmff.reading.vendor import VendorImage

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_AXES = {"1": "X", "2": "Y", "3": "Z", "4": "T"}
"""What the numbers of dimensions mean."""

_COLORS = {
    "Blue": "0000FF",
    "Cyan": "00FFFF",
    "Gray": "FFFFFF",
    "Green": "00FF00",
    "Magenta": "FF00FF",
    "Red": "FF0000",
    "Yellow": "FFFF00",
}


def images_in(path: Path, closing: ExitStack) -> list[VendorImage]:
    """List the images of a file; see `vendor.OpenImages`. Nothing stays open."""
    _screen(path)
    with LifFile(path) as file:
        return [_image(path, image, closing) for image in file.images]


def _screen(path: Path) -> None:
    """Refuse a header that declares entities, before it is parsed."""
    with path.open("rb") as file:
        _, _, _, length = struct.unpack("<IIBI", file.read(13))
        if 2 * length > path.stat().st_size:
            raise SourceError(f"{path}: truncated Leica LIF file, its header is cut short")
        screen_xml(str(path), file.read(2 * length).decode("utf-16-le", "replace"))


def _image(path: Path, image: Any, closing: ExitStack) -> VendorImage:
    letters = "".join(image.dims)
    shape = tuple(int(length) for length in image.shape)
    is_plain = all(len(one) == 1 for one in image.dims)
    axes = axes_that_count(letters, shape) if is_plain else ""
    block = image.memory_block
    read = partial(
        _stack, path, image.name, image.dims, shape, image.dtype, block, image.xml_element, closing
    )
    return VendorImage(image.name, axes, read)


def _stack(
    path: Path,
    name: str,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    block: Any,
    element: Element,
    closing: ExitStack,
) -> FocusStack:
    check_dtype(str(path), dtype)
    n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if any(len(one) > 1 for one in dims) or block.size != n_bytes or block.frames:
        raise SourceError(
            f"{path}: its image {name!r} is stored in parts ({', '.join(dims)}), which are not read"
        )
    plan = plan_axes(str(path), "".join(dims), shape)
    lease = Lease()
    closing.callback(lease.end)
    pages = MappedPages([(path, int(block.offset))], shape, 0, dtype)
    data = as_dask(OrderedArray(pages, plan, str(path), lease))
    if _is_bgr(element):
        data = data[..., ::-1]
    steps = {axis: _step_um(element, axis) for axis in "ZYX"}
    z_step = steps["Z"]
    return FocusStack(
        data=data,
        name=path.name,
        voxel_size_um=tuple(  # type: ignore[arg-type]
            None if step is None else abs(step) for step in steps.values()
        ),
        z_positions_um=None if z_step is None else evenly(data.shape[2], z_step),
        channels=_channels(element, data.shape[1]),
        metadata={"image": name, "axes": "".join(plan.letters)},
        notes=plan.notes,
        storage=Storage("Leica LIF", "none", (shape[-2], shape[-1]), "whole slices", (path,)),
    )


def _step_um(element: Element, axis: str) -> float | None:
    """Distance between neighbours along an axis; negative where it falls."""
    for one in element.iter("DimensionDescription"):
        if _AXES.get(one.get("DimID", "")) != axis:
            continue
        count, length = finite(one.get("NumberOfElements")), finite(one.get("Length"))
        um = um_per_unit(one.get("Unit"))
        if um and count and length and count > 1:
            return length / (count - 1) * um
    return None


def _channels(element: Element, n_channels: int) -> tuple[Channel, ...]:
    names = [one.get("LUTName", "") for one in element.iter("ChannelDescription")]
    if len(names) != n_channels:
        return ()
    return tuple(Channel(f"channel {index}", _COLORS.get(name)) for index, name in enumerate(names))


def _is_bgr(element: Element) -> bool:
    """Whether colours lie in the order blue, green, red: tags 3, 2 and 1."""
    described = sorted(
        element.iter("ChannelDescription"), key=lambda one: int(one.get("BytesInc", 0))
    )
    return [one.get("ChannelTag") for one in described] == ["3", "2", "1"]
