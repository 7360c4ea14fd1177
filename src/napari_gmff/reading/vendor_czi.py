"""Zeiss CZI through the package pylibCZIrw, which stitches mosaics: a position for each scene."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pylibCZIrw import czi

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import axes_that_count
from napari_gmff.reading.ome_xml import parse_xml
from napari_gmff.reading.stack import Channel, FocusStack
from napari_gmff.reading.storage import Storage
from napari_gmff.reading.tiff_metadata import finite
from napari_gmff.reading.vendor import VendorImage
from napari_gmff.reading.vendor_czi_check import check_planes, check_segments
from napari_gmff.reading.vendor_planes import Place, lazy_planes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

BAND_ROWS = 1024
"""Rows that are decoded together: about a tile of a slide scanner."""

_TYPES = {
    "Gray8": ("uint8", 0),
    "Gray16": ("uint16", 0),
    "Gray32Float": ("float32", 0),
    "Bgr24": ("uint8", 3),
    "Bgr48": ("uint16", 3),
}
"""Pixel type and number of colour samples."""

_M_IN_UM = 1e6

_OTHER_AXES = {"R": "rotations", "I": "illuminations", "H": "phases", "V": "views", "B": "blocks"}


class _Scene(NamedTuple):
    """Where a position lies in the document."""

    number: int | None
    name: str
    left: int
    top: int
    width: int
    height: int


def images_in(path: Path, closing: ExitStack) -> list[VendorImage]:
    """List the scenes of a file; see `vendor.OpenImages`."""
    check_planes(path, check_segments(path))
    file = closing.enter_context(czi.open_czi(str(path)))
    box = file.total_bounding_box_no_pyramid
    for axis, what in _OTHER_AXES.items():
        start, stop = box.get(axis, (0, 1))
        if stop - start > 1:
            raise SourceError(f"{path}: its {stop - start} {what} (axis {axis}) are not read")
    root = parse_xml(str(path), file.raw_metadata)
    outer = tuple(box.get(axis, (0, 1)) for axis in "TCZ")
    kinds = {file.get_channel_pixel_type(channel) for channel in range(*outer[1])}
    if len(kinds) > 1:
        raise SourceError(f"{path}: channels must be of one pixel type, found {sorted(kinds)}")
    kind = kinds.pop()
    lengths = [stop - start for start, stop in outer]
    images = []
    for scene in _scenes(file, root):
        shape = (*lengths, scene.height, scene.width)
        axes = axes_that_count("TCZYX", shape)
        read = partial(_stack, path, file, scene, outer, kind, root, closing)
        images.append(VendorImage(scene.name, axes, read))
    return images


def _scenes(file: Any, root: Element) -> list[_Scene]:
    found = file.scenes_bounding_rectangle_no_pyramid
    if not found:
        return [_Scene(None, "", *file.total_bounding_rectangle_no_pyramid)]
    names = {one.get("Index"): one.get("Name") for one in root.iter("Scene")}
    return [
        _Scene(number, names.get(str(number)) or f"scene {number}", *place)
        for number, place in sorted(found.items())
    ]


def _stack(
    path: Path,
    file: Any,
    scene: _Scene,
    outer: tuple[tuple[int, int], ...],
    kind: str,
    root: Element,
    closing: ExitStack,
) -> FocusStack:
    if kind not in _TYPES:
        raise SourceError(f"{path}: pixels must be of type {', '.join(_TYPES)}, found {kind}")
    dtype, n_samples = _TYPES[kind]
    starts = [start for start, _ in outer]
    lengths = tuple(stop - start for start, stop in outer)

    def read(place: Place, rows: tuple[int, int]) -> NDArray[np.generic]:
        plane = {axis: start + one for axis, start, one in zip("TCZ", starts, place, strict=True)}
        part = (scene.left, scene.top + rows[0], scene.width, rows[1] - rows[0])
        found: NDArray[np.generic] = file.read(roi=part, plane=plane, scene=scene.number)
        # Colours come as blue, green, red.
        return found[..., ::-1] if n_samples else found[..., 0]

    plane_shape = (scene.height, scene.width, *((n_samples,) if n_samples else ()))
    data = lazy_planes(
        str(path),
        lengths,  # type: ignore[arg-type]
        plane_shape,
        np.dtype(dtype),
        read,
        closing,
        band_rows=BAND_ROWS,
    )
    z, y, x = (_size_um(root, axis) for axis in "ZYX")
    return FocusStack(
        data=data,
        name=path.name,
        voxel_size_um=(z, y, x),
        origin_yx_um=((y or 0.0) * scene.top, (x or 0.0) * scene.left),
        channels=_channels(root, lengths[1]),
        metadata={"image": scene.name, "axes": "TCZYXS" if n_samples else "TCZYX"},
        storage=Storage("Zeiss CZI", layout="tiles", files=(path,)),
    )


def _size_um(root: Element, axis: str) -> float | None:
    for one in root.iterfind(".//Scaling/Items/Distance"):
        size = finite(one.findtext("Value"))
        if one.get("Id") == axis and size and size > 0:
            return size * _M_IN_UM
    return None


def _channels(root: Element, n_channels: int) -> tuple[Channel, ...]:
    described = root.findall(".//Information/Image/Dimensions/Channels/Channel")
    if len(described) != n_channels:
        return ()
    found = []
    for index, one in enumerate(described):
        # "#AARRGGBB"
        color = (one.findtext("Color") or "").lstrip("#")[-6:].upper()
        is_color = len(color) == 6 and all(sign in "0123456789ABCDEF" for sign in color)
        found.append(Channel(one.get("Name") or f"channel {index}", color if is_color else None))
    return tuple(found)
