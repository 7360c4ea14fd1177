"""Nikon ND2 through the package nd2: a position for each point of the stage."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nd2
import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import axes_that_count, check_dtype
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.planes import evenly
from napari_gmff.reading.stack import Channel, FocusStack
from napari_gmff.reading.storage import Storage
from napari_gmff.reading.vendor import VendorImage
from napari_gmff.reading.vendor_planes import Place, lazy_planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRAME = re.compile(rb"ImageDataSeq\|(\d+)!(.{8})", re.DOTALL)

Frames = dict[tuple[int, int, int], int]
"""Number of a frame by position, time point and slice."""


def images_in(path: Path, closing: ExitStack) -> list[VendorImage]:
    """List the positions of a file; see `vendor.OpenImages`."""
    file = closing.enter_context(nd2.ND2File(path))
    sizes = dict(file.sizes)
    strange = sorted(axis for axis in set(sizes) - set("PTZCYXS") if sizes[axis] > 1)
    if strange:
        raise SourceError(f"{path}: its axes {', '.join(strange)} are not read, of {sizes}")
    frames = _frames(path, file, sizes)
    shape = tuple(int(sizes.get(axis, 1)) for axis in "TCZYX")
    axes = axes_that_count("TCZYX", shape)
    names = _position_names(file, int(sizes.get("P", 1)))
    return [
        VendorImage(name, axes, partial(_stack, path, file, frames, number, name, shape, closing))
        for number, name in enumerate(names)
    ]


def _stack(
    path: Path,
    file: Any,
    frames: Frames,
    position: int,
    name: str,
    shape: tuple[int, ...],
    closing: ExitStack,
) -> FocusStack:
    n_times, n_channels, n_slices, height, width = shape
    n_samples = int(file.sizes.get("S", 1))
    samples = (n_samples,) if n_samples > 1 else ()

    def read(place: Place, rows: tuple[int, int]) -> NDArray[np.generic]:
        t, c, z = place
        # Axes of length 1 are left out of a frame, which changes nothing of their order.
        frame = np.asarray(file.read_frame(frames[position, t, z]))
        found: NDArray[np.generic] = frame.reshape(n_channels, height, width, *samples)
        return found[c, slice(*rows)]

    data = lazy_planes(
        str(path),
        (n_times, n_channels, n_slices),
        (height, width, *samples),
        check_dtype(str(path), file.dtype),
        read,
        closing,
    )
    described, notes = _described(file)
    y_um, x_um = _pixel_um(described)
    z_um, falls = _z_step(file)
    return FocusStack(
        data=data,
        name=path.name,
        voxel_size_um=(z_um, y_um, x_um),
        z_positions_um=None if z_um is None else evenly(n_slices, -z_um if falls else z_um),
        channels=_channels(described, n_channels),
        metadata={"image": name, "axes": "TCZYXS" if samples else "TCZYX"},
        notes=notes,
        storage=Storage(
            "Nikon ND2",
            str(file.attributes.compressionType or "none"),
            (height, width),
            "whole slices",
            (path,),
        ),
    )


def _frames(path: Path, file: Any, sizes: dict[str, int]) -> Frames:
    """Find the number of every plane. All must be there: nd2 would fill in zeros."""
    there = _stored_frames(path)
    indices: Sequence[dict[str, int]] = file.loop_indices or ({},)
    found = {
        (one.get("P", 0), one.get("T", 0), one.get("Z", 0)): number
        for number, one in enumerate(indices)
        if number in there
    }
    wanted = int(np.prod([sizes.get(axis, 1) for axis in "PTZ"]))
    if len(found) != wanted:
        raise SourceError(f"{path}: {wanted} planes are described, found {len(found)}")
    return found


def _stored_frames(path: Path) -> set[int]:
    """Numbers of the frames that the map at the end of a file lists, and that lie within it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        (place,) = struct.unpack("<Q", file.read(8))
        file.seek(min(place, size))
        listed = file.read()
    return {
        int(one.group(1))
        for one in _FRAME.finditer(listed)
        if struct.unpack("<Q", one.group(2))[0] < size
    }


def _position_names(file: Any, n_positions: int) -> list[str]:
    if n_positions == 1:
        return [""]
    for loop in file.experiment:
        if loop.type == "XYPosLoop":
            points = loop.parameters.points
            if len(points) == n_positions:
                return [one.name or f"Pos{number}" for number, one in enumerate(points)]
    return [f"Pos{number}" for number in range(n_positions)]


def _described(file: Any) -> tuple[Sequence[Any], tuple[str, ...]]:
    """Metadata of the channels, and a note where they cannot be read."""
    try:
        return tuple(file.metadata.channels or ()), ()
    # Whatever is missing from them, the pixels are there.
    except Exception as error:
        return (), (f"The metadata of its channels cannot be read ({first_line(error)}).",)


def _pixel_um(described: Sequence[Any]) -> tuple[float | None, float | None]:
    """Size (y, x) of a pixel, unknown unless the file says that it was calibrated."""
    if not described:
        return None, None
    volume = described[0].volume
    y_um, x_um = (
        float(volume.axesCalibration[axis]) if volume.axesCalibrated[axis] else None
        for axis in (1, 0)
    )
    return y_um, x_um


def _z_step(file: Any) -> tuple[float | None, bool]:
    """Step between slices in µm, and whether they fall."""
    for loop in file.experiment:
        if loop.type == "ZStackLoop" and loop.parameters.stepUm:
            return abs(float(loop.parameters.stepUm)), not loop.parameters.bottomToTop
    return None, False


def _channels(described: Sequence[Any], n_channels: int) -> tuple[Channel, ...]:
    if len(described) != n_channels:
        return ()
    return tuple(
        Channel(
            one.channel.name or f"channel {index}",
            f"{one.channel.color.r:02X}{one.channel.color.g:02X}{one.channel.color.b:02X}",
        )
        for index, one in enumerate(described)
    )
