"""The images of an OME-Zarr group of several: bioformats2raw layout, plates and wells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import axes_that_count
from napari_gmff.reading.ome_xml import check_inside
from napari_gmff.reading.ome_zarr_metadata import multiscale_of, ome_attributes
from napari_gmff.reading.zarr_nodes import member, numbered_groups

if TYPE_CHECKING:
    import zarr


def image_paths(address: str, group: zarr.Group) -> list[str]:
    """Return the paths of the images of a group of several, empty for a single image.

    Raises
    ------
    SourceError
        If the group is none of the kinds that hold images, or its list of images is damaged.
    """
    facts = ome_attributes(group)
    if "multiscales" in facts:
        return []
    if "plate" in facts:
        return [path for _, path in _fields(address, group, facts["plate"])]
    if "well" in facts:
        return _images_of_well(address, facts["well"])
    if "bioformats2raw.layout" not in facts and "labels" in facts:
        raise SourceError(f"{address}: holds labels, not images")
    named = _series_named(address, group, facts)
    if named:
        return named
    numbered = numbered_groups(address, group)
    if not numbered:
        raise SourceError(f"{address}: must be an OME-Zarr image, its multiscales are missing")
    return numbered


def stacks_among_images(address: str, group: zarr.Group) -> dict[int, str]:
    """Return the images of a group that are focus stacks of the same axes, by their number.

    Parameters
    ----------
    address : str
        Folder or address of the group.
    group : zarr.Group
        All images of a plate or well count; of other groups those with more than one slice.

    Returns
    -------
    dict of int to str
        Names of the positions; empty for a single image.
    """
    facts = ome_attributes(group)
    paths = image_paths(address, group)
    if "plate" in facts:
        wells = [well for well, _ in _fields(address, group, facts["plate"])]
        one_each = len(set(wells)) == len(wells)
        return dict(enumerate(wells if one_each else paths))
    if "well" in facts:
        return dict(enumerate(paths))
    axes = {number: _axes_of_stack(address, group, path) for number, path in enumerate(paths)}
    first = next(filter(None, axes.values()), None)
    return {number: paths[number] for number, found in axes.items() if found and found == first}


def _axes_of_stack(address: str, group: zarr.Group, path: str) -> str | None:
    """Axes of an image that count, None if it has no Z axis or cannot be read."""
    import zarr

    try:
        image = multiscale_of(f"{address}/{path}", group[path])  # type: ignore[arg-type]
        array = image.group[image.paths[0]]
    # zarr raises many kinds for damaged metadata; the image itself says so when it is opened.
    except Exception:
        return None
    names = [name for name, _ in image.axes]
    if not isinstance(array, zarr.Array) or len(names) != array.ndim:
        return None
    found = axes_that_count(names, array.shape)
    return found if "Z" in found else None


def _fields(address: str, group: zarr.Group, plate: Any) -> list[tuple[str, str]]:
    """Well and path of every image of a plate."""
    import zarr

    try:
        wells = [str(well["path"]) for well in plate["wells"]]
    except (KeyError, TypeError):
        raise SourceError(f"{address}: is a plate that does not list its wells") from None
    found: list[tuple[str, str]] = []
    for path in wells:
        check_inside(address, path)
        well = member(address, group, path)
        if not isinstance(well, zarr.Group):
            raise SourceError(f"{address}: the well {path!r} it names is missing")
        images = _images_of_well(f"{address}/{path}", ome_attributes(well).get("well"))
        found.extend((path, f"{path}/{image}") for image in images)
    if not found:
        raise SourceError(f"{address}: is a plate without images")
    return found


def _images_of_well(address: str, well: Any) -> list[str]:
    try:
        paths = [str(image["path"]) for image in well["images"]]
    except (KeyError, TypeError):
        raise SourceError(f"{address}: is a well that does not list its images") from None
    for path in paths:
        check_inside(address, path)
    if not paths:
        raise SourceError(f"{address}: is a well without images")
    return paths


def _series_named(address: str, group: zarr.Group, facts: Mapping[str, Any]) -> list[str]:
    """Images that a group names itself, in its attributes or in those of its group OME."""
    import zarr

    named = facts.get("series")
    inner = member(address, group, "OME")
    if isinstance(inner, zarr.Group):
        named = ome_attributes(inner).get("series", named)
    if not isinstance(named, list):
        return []
    for path in named:
        check_inside(address, str(path))
    return [str(path) for path in named]
