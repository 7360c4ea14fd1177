"""The command that saves a fusion in a thread, while the window stays free."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.layers import Image
from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_gmff._napari.common.tasks import start_task
from napari_gmff._napari.files.writer import save_layers, save_pictures
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.saved_results import SAVED_KEY, SavedSet
from napari_gmff._napari.layers.stack_layers import short_name
from napari_gmff.marks import is_restored

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from napari.qt.threading import FunctionWorker

    from napari_gmff.export.previews import PreviewFormat
    from napari_gmff.results import Format

_FORMATS: dict[str, tuple[str, Format]] = {
    "OME-Zarr (*.ome.zarr)": (".ome.zarr", "ome-zarr"),
    "OME-Zarr 0.4, for older programs (*.ome.zarr)": (".ome.zarr", "ome-zarr-0.4"),
    "Folder of OME-TIFFs (*.ome-tiff)": (".ome-tiff", "ome-tiff"),
    "Folder of TIFFs for ImageJ (*.imagej)": (".imagej", "imagej"),
}

_PICTURES: dict[str, tuple[str, PreviewFormat]] = {
    "Pictures for slides, PNG (*.png)": (".png", "png"),
    "Pictures for slides, JPEG (*.jpg)": (".jpg", "jpeg"),
}


def save_result() -> None:
    """Ask for a name and save the fusion that the active layer belongs to."""
    viewer = napari.current_viewer()
    layers = layers_of_fusion(viewer) if viewer is not None else []
    if not layers:
        show_warning("Select a layer of a fusion first: fused, focus index, depth or confidence.")
        return
    path, chosen = QFileDialog.getSaveFileName(
        QApplication.activeWindow(),
        "Save fusion",
        _suggested_name(layers),
        ";;".join((*_FORMATS, *_PICTURES)),
    )
    if path and chosen in _PICTURES:
        suffix, picture = _PICTURES[chosen]
        stem = path[: -len(suffix)] if path.lower().endswith(suffix) else path
        save_pictures_in_background(stem, layers, picture)
    elif path:
        suffix, format = _FORMATS.get(chosen, _FORMATS["OME-Zarr (*.ome.zarr)"])
        # The dialog has asked about the very name that it gave, and about no other.
        is_asked = path.lower().endswith(suffix)
        path = path if is_asked else f"{path}{suffix}"
        save_in_background(path, layers, format, overwrite=is_asked)


def layers_of_fusion(viewer: ViewerModel) -> list[Layer]:
    """Return all images of the fusion that the active layer belongs to; none if it is of none.

    The active layer may also be made from it: its surface, a line along which heights are read.
    """
    mine = _identity(viewer.layers.selection.active)
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    return [layer for layer in images if mine and _identity(layer) == mine]


def save_in_background(
    path: str, layers: list[Layer], format: Format, *, overwrite: bool = False
) -> FunctionWorker:
    """Save layers of one fusion in a thread.

    Parameters
    ----------
    path : str
        Folder to write.
    layers : list of napari.layers.Layer
        Of one fusion; see `save_layers`.
    format : {"ome-zarr", "ome-zarr-0.4", "ome-tiff", "imagej"}
        Of the output.
    overwrite : bool
        Replace an earlier result of this program; nothing else is ever replaced.

    Returns
    -------
    FunctionWorker
        Already started. Its end and its errors become notifications.
    """
    described = [layer.as_layer_data_tuple() for layer in layers]
    return start_task(
        f"Saving {Path(path).name}",
        save_layers,
        path,
        described,
        format,
        overwrite=overwrite,
        done=lambda paths: show_info(f"Saved {paths[0]}"),
    )


def save_pictures_in_background(
    stem: str, layers: list[Layer], format: PreviewFormat
) -> FunctionWorker:
    """Save pictures of the fusion that layers belong to, in a thread.

    Parameters
    ----------
    stem : str
        Begin of the files' names; files that exist are never replaced.
    layers : list of napari.layers.Layer
        Of one fusion.
    format : {"png", "jpeg"}
        Of the files.

    Returns
    -------
    FunctionWorker
        Already started. Its end and its errors become notifications.
    """
    described = [layer.as_layer_data_tuple() for layer in layers]
    return start_task(
        f"Saving pictures {Path(stem).name}",
        save_pictures,
        stem,
        described,
        format,
        done=lambda paths: show_info(f"Saved {', '.join(Path(path).name for path in paths)}"),
    )


def _identity(layer: Layer | None) -> object:
    """Return what layers of the same fusion have in common, None for other layers."""
    facts = layer.metadata.get(METADATA_KEY) if layer is not None else None
    if not isinstance(facts, dict):
        return None
    saved = facts.get(SAVED_KEY)
    return saved.set_id if isinstance(saved, SavedSet) else facts.get("set")


def _suggested_name(layers: list[Layer]) -> str:
    facts = layers[0].metadata[METADATA_KEY]
    source = str(facts["provenance"].get("source", {}).get("name", "stack"))
    what = "restored" if is_restored(facts["provenance"]) else "fused"
    return f"{short_name(source)} {what}"
