"""Writes fusions from napari's own save dialogs and `viewer.layers.save`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_gmff._napari.layers.result_sets import METADATA_KEY, ResultSet, owner_with_id
from napari_gmff._napari.layers.saved_results import SAVED_KEY, SavedSet, shown_names
from napari_gmff.errors import OutputError

if TYPE_CHECKING:
    from napari_gmff._napari.layers.stack_layers import LayerTuple
    from napari_gmff.export.previews import PreviewFormat
    from napari_gmff.stored_images import Format, StoredImages


def write_ome_zarr(path: str, layers: Sequence[LayerTuple]) -> list[str]:
    """Write the fusion that layers belong to as OME-Zarr; see `save_layers`."""
    return save_layers(path, layers, "ome-zarr")


def write_ome_tiff(path: str, layers: Sequence[LayerTuple]) -> list[str]:
    """Write the fusion that layers belong to as a folder of OME-TIFFs; see `save_layers`."""
    return save_layers(path, layers, "ome-tiff")


def save_layers(
    path: str, layers: Sequence[LayerTuple], format: Format, *, overwrite: bool = False
) -> list[str]:
    """Write result layers with scale, units, channels and provenance, as they are on disk.

    Parameters
    ----------
    path : str
        Folder to write; complete or not at all.
    layers : sequence of (data, dict, str)
        As napari describes them. All layers of a fusion make the complete result, with what is
        not shown too; fewer make one of the images they show.
    format : {"ome-zarr", "ome-zarr-0.4", "ome-tiff", "imagej"}
        Of the output.
    overwrite : bool
        Replace an earlier result of this program; nothing else is ever replaced.

    Returns
    -------
    list of str
        The folder written.

    Raises
    ------
    OutputError
        If the path exists, or the layers are not those of one fusion.
    """
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path}: already exists; give another name")
    owner = _owner(path, layers)
    wanted = {_facts(meta)["image"] for _, meta, _ in layers}
    with result_of(owner) as result:
        # All layers stand for the whole result, with what is not shown too.
        images = None if shown_images(owner) <= wanted else wanted
        result.save(path, format=format, overwrite=overwrite, images=images)
    return [path]


def save_pictures(stem: str, layers: Sequence[LayerTuple], format: PreviewFormat) -> list[str]:
    """Write pictures of the fusion that layers belong to; see `StoredImages.save_previews`.

    Parameters
    ----------
    stem : str
        Begin of the files' names.
    layers : sequence of (data, dict, str)
        Of one fusion, as napari describes them.
    format : {"png", "jpeg"}
        Of the files.

    Returns
    -------
    list of str
        The files written.

    Raises
    ------
    OutputError
        If a file exists, or the layers are not those of one fusion.
    """
    with result_of(_owner(stem, layers)) as result:
        return [str(path) for path in result.save_previews(stem, format=format)]


@contextmanager
def result_of(owner: ResultSet | SavedSet) -> Iterator[StoredImages]:
    """Yield the complete result behind layers; a copy made for this is deleted afterwards."""
    if not isinstance(owner, SavedSet):
        yield owner.result
        return
    with owner.as_result() as result:
        yield result


def shown_images(owner: ResultSet | SavedSet) -> set[str]:
    """Return the names of the images of a fusion that have layers."""
    if isinstance(owner, SavedSet):
        return set(shown_names(owner.images))
    return {name for name, layers in owner.layers.items() if layers}


def _owner(path: str, layers: Sequence[LayerTuple]) -> ResultSet | SavedSet:
    owners = [_owner_of(path, meta) for _, meta, _ in layers]
    if any(owner is not owners[0] for owner in owners):
        names = ", ".join(str(meta.get("name")) for _, meta, _ in layers)
        raise OutputError(
            f"{path}: layers of one fusion are saved at a time, found several among {names}"
        )
    return owners[0]


def _owner_of(path: str, meta: Mapping[str, Any]) -> ResultSet | SavedSet:
    facts, name = _facts(meta), meta.get("name")
    if not facts:
        raise OutputError(
            f"{path}: only layers of a fusion are saved this way, and {name!r} is none; select "
            "those, or choose another format"
        )
    owner: ResultSet | None = owner_with_id(facts.get("set"))
    if owner is not None and owner.result.store_path.is_dir():
        return owner
    saved = facts.get(SAVED_KEY)
    if not isinstance(saved, SavedSet):
        raise OutputError(
            f"{path}: the fusion behind {name!r} is not complete, or its own layers were deleted; "
            "fuse again, and save when it is done"
        )
    return saved


def _facts(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    facts = meta.get("metadata", {}).get(METADATA_KEY)
    return facts if isinstance(facts, Mapping) else {}
