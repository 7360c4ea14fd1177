"""The few facts of OME-XML that a focus stack needs, from a screened and short parse."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import SourceError
from napari_gmff.reading.stack import Channel
from napari_gmff.reading.units import um_per_unit

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_PLANES = 1_000_000
"""Planes that an OME-XML may name: memory is taken for each of them, whether it is there or not."""

_MOST_DIGITS = 18

FORBIDDEN = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class OmeImage:
    """One image of OME-XML.

    Attributes
    ----------
    name : str
        As the file says, or empty.
    sizes : dict
        Length of each of T C Z Y X; C counts the samples of colour pixels.
    samples : int
        Samples of each pixel.
    voxel_size_um : tuple of (float or None)
        (z, y, x), None where unknown.
    channels : tuple of Channel
        As far as they are described.
    z_um : dict of int to float
        Position of slices at the first time point and lowest channel that tells.
    z_without_unit : bool
        The positions state no unit and were taken as µm.
    origin_yx_um : tuple of (float or None)
        Position (y, x) of the first plane.
    description : str
        As the file says, or empty.
    """

    name: str
    sizes: dict[str, int]
    samples: int
    voxel_size_um: tuple[float | None, float | None, float | None]
    channels: tuple[Channel, ...] = ()
    z_um: dict[int, float] = field(default_factory=dict)
    z_without_unit: bool = False
    origin_yx_um: tuple[float | None, float | None] = (None, None)
    description: str = ""

    @property
    def n_planes(self) -> int:
        """How many planes the image must have, each with all samples of a pixel."""
        return self.sizes["T"] * (self.sizes["C"] // self.samples) * self.sizes["Z"]


def screen_xml(name: str, text: str) -> None:
    """Refuse XML that declares a document type or entities, before any parser expands it.

    Raises
    ------
    SourceError
        That names the file.
    """
    found = FORBIDDEN.search(text)
    if found:
        raise SourceError(
            f"{name}: XML in a source must not declare a document type or entities, "
            f"found {found.group(0)!r}"
        )


def parse_xml(name: str, text: str) -> Element:
    """Parse screened XML.

    Raises
    ------
    SourceError
        If it declares entities or is not well-formed.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    screen_xml(name, text)
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise SourceError(f"{name}: its OME-XML is not well-formed ({error})") from None
    return root


def ome_images(name: str, root: Element) -> list[OmeImage]:
    """Describe every image of an OME-XML document.

    Raises
    ------
    SourceError
        If a size is missing or not a number.
    """
    found = []
    for image in _children(root, "Image"):
        for pixels in _children(image, "Pixels"):
            said = "\n".join(one.text or "" for one in _children(image, "Description"))
            found.append(_image(name, image.get("Name", ""), said, pixels))
            break
    return found


def check_numbers(name: str, root: Element) -> None:
    """Refuse numbers by which a parser would count up for hours, and fill the memory.

    Parameters
    ----------
    name : str
        Of the source, for messages.
    root : xml.etree.ElementTree.Element
        OME-XML whose planes have not been counted.

    Raises
    ------
    SourceError
        If it names more than `MOST_PLANES` planes, by sizes and one by one, or labels of an axis.
    """
    found = 0.0
    for element in root.iter():
        tag = _tag(element)
        if tag == "Pixels":
            found += math.prod(_number(element.get(f"Size{axis}")) or 1.0 for axis in "TCZ")
        elif tag == "TiffData":
            found += max(_number(element.get(key)) or 0.0 for key in ("PlaneCount", "NumPlanes"))
        elif tag.startswith("ModuloAlong"):
            start, stop = (_number(element.get(key)) or 0.0 for key in ("Start", "End"))
            found += abs((stop - start) / (_number(element.get("Step")) or 1.0))
    if found > 2 * MOST_PLANES:
        raise SourceError(
            f"{name}: its OME-XML must name at most {MOST_PLANES} planes, found {found:.0f}"
        )


def linked_files(name: str, root: Element) -> list[str]:
    """Names of the other files that hold planes of the images.

    Raises
    ------
    SourceError
        If one of them would leave the folder of the file.
    """
    own = root.get("UUID")
    names: dict[str, None] = {}
    distinct = {uuid.text for uuid in root.iter() if _tag(uuid) == "UUID"}
    for uuid in root.iter():
        file_name = uuid.get("FileName")
        if _tag(uuid) != "UUID" or file_name is None:
            continue
        check_inside(name, file_name)
        # A file that was renamed still names itself by its old name: its identity tells.
        if uuid.text != own and not (own is None and len(distinct) == 1):
            names[file_name] = None
    return list(names)


def nameless_links(root: Element) -> list[Element]:
    """Return the links to other files that are identities alone, without a file name."""
    own = root.get("UUID")
    links = [one for one in root.iter() if _tag(one) == "UUID"]
    return [one for one in links if one.get("FileName") is None and one.text != own]


def metadata_file(name: str, root: Element) -> str | None:
    """Name of the companion file that holds the metadata, None if they are here.

    Raises
    ------
    SourceError
        If it would leave the folder of the file.
    """
    for part in _children(root, "BinaryOnly"):
        found = part.get("MetadataFile")
        if found:
            check_inside(name, found)
            return found
    return None


def check_inside(name: str, file_name: str) -> None:
    """Refuse the name of a linked file that could lead out of its folder.

    Raises
    ------
    SourceError
        For absolute names, drives, ``..``, backslashes and addresses.
    """
    windows = PureWindowsPath(file_name)
    escapes = (
        not file_name.strip()
        or "\\" in file_name
        or "\x00" in file_name
        or windows.drive
        or windows.root
        or ".." in PurePosixPath(file_name).parts
        or "://" in file_name
    )
    if escapes:
        raise SourceError(
            f"{name}: the files it links to must lie in its own folder, found {file_name!r}"
        )


def color_from_ome(value: str | None) -> str | None:
    """``"RRGGBB"`` from OME's signed 32-bit RGBA number, None if there is none."""
    try:
        number = int(value) if value is not None else None
    except ValueError:
        return None
    return None if number is None else f"{(number & 0xFFFFFFFF) >> 8:06X}"


def _image(name: str, title: str, description: str, pixels: Element) -> OmeImage:
    sizes = {}
    for axis in "TCZYX":
        value = pixels.get(f"Size{axis}", "")
        size = _whole_number(value)
        if not size:
            raise SourceError(
                f"{name}: Size{axis} in its OME-XML must be a number above 0, found {value!r:.50}"
            )
        sizes[axis] = size
    described = list(_children(pixels, "Channel"))
    samples = int(_number(described[0].get("SamplesPerPixel")) or 1) if described else 1
    voxel_size = tuple(
        _length_um(pixels, f"PhysicalSize{axis}", "µm", positive=True) for axis in "ZYX"
    )
    planes = list(_children(pixels, "Plane"))
    return OmeImage(
        name=title,
        sizes=sizes,
        samples=samples if samples > 0 and sizes["C"] % samples == 0 else 1,
        voxel_size_um=voxel_size,  # type: ignore[arg-type]
        channels=tuple(
            Channel(item.get("Name") or f"channel {index}", color_from_ome(item.get("Color")))
            for index, item in enumerate(described)
        ),
        z_um=_z_positions(planes),
        z_without_unit=any(
            plane.get("PositionZ") and not plane.get("PositionZUnit") for plane in planes
        ),
        origin_yx_um=_origin(planes),
        description=description,
    )


def _z_positions(planes: list[Element]) -> dict[int, float]:
    by_channel: dict[int, dict[int, float]] = {}
    for plane in planes:
        place = [_whole_number(plane.get(f"The{axis}", "")) for axis in "TCZ"]
        # The schema's default is the stage's own unit, but those who leave it out mean µm.
        position = _length_um(plane, "PositionZ", "µm")
        t, c, z = place
        if t != 0 or c is None or z is None or position is None:
            continue
        by_channel.setdefault(c, {})[z] = position
    return by_channel[min(by_channel)] if by_channel else {}


def _origin(planes: list[Element]) -> tuple[float | None, float | None]:
    first = next(
        (
            plane
            for plane in planes
            if all(plane.get(f"The{axis}") in (None, "0") for axis in "TCZ")
        ),
        None,
    )
    if first is None:
        return None, None
    y, x = (_length_um(first, f"Position{axis}", "reference frame") for axis in "YX")
    return y, x


def _length_um(
    element: Element, attribute: str, default_unit: str, *, positive: bool = False
) -> float | None:
    value = _number(element.get(attribute))
    scale = um_per_unit(element.get(f"{attribute}Unit", default_unit))
    if value is None or scale is None or (positive and value <= 0):
        return None
    return value * scale


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _whole_number(text: str | None) -> int | None:
    """Return the number from 0 that a text says, None if it says none, or one of many digits."""
    return int(text) if text and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _children(element: Element, tag: str) -> Iterator[Element]:
    return (child for child in element if _tag(child) == tag)


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
