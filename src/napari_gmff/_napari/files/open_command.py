"""The commands that open whatever the core reads, without holding up the window."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.tasks import start_task
from napari_gmff._napari.files.axes_question import ask_axes, is_about_axes
from napari_gmff._napari.files.reader import saved_at, sources_of, stacks_among
from napari_gmff._napari.files.series_picker import pick_series
from napari_gmff._napari.layers.saved_dress import dress_saved_layers
from napari_gmff._napari.layers.stack_layers import LayerTuple, StackSource, layers_of_stack
from napari_gmff.errors import SourceError
from napari_gmff.failures import reading

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.qt.threading import FunctionWorker

_FILTERS = (
    "Focus stacks (*.tif *.tiff *.btf *.companion.ome *.png *.jpg *.jpeg *.lsm *.stk *.czi *.lif "
    "*.nd2);;"
    "Saved fusion (provenance.json);;All files (*)"
)

_last_folder = ""


@dataclass
class _Found:
    """What was behind the paths: layers that are ready, and files with their series."""

    layers: list[LayerTuple] = field(default_factory=list)
    files: list[list[StackSource]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def open_stack_files() -> None:
    """Ask for image files and open them as focus stacks; several slices make one stack."""
    paths, _ = QFileDialog.getOpenFileNames(
        QApplication.activeWindow(), "Open focus stack", _last_folder, _FILTERS
    )
    _open_asked(paths)


def open_stack_folder() -> None:
    """Ask for a folder of images, an OME-Zarr or a saved result, and open it."""
    path = QFileDialog.getExistingDirectory(
        QApplication.activeWindow(), "Open folder of slices, OME-Zarr or saved fusion", _last_folder
    )
    _open_asked([path] if path else [])


def open_in_background(
    viewer: ViewerModel, paths: Sequence[str], axes: str | None = None
) -> FunctionWorker:
    """Read headers in a thread, then add layers to a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layers, unless it is closed before.
    paths : sequence of str
        Files or folders. Errors become notifications, or a question where that helps.
    axes : str, optional
        What the axes of the sources are, in place of what they say.

    Returns
    -------
    FunctionWorker
        Of the reading, already started.
    """
    weak = weakref.ref(viewer)
    title = Path(paths[0]).name if len(paths) == 1 else f"{len(paths)} files"
    return start_task(
        f"Opening {title}",
        _find,
        list(paths),
        axes,
        done=lambda found: _choose(weak, found),
        failed=lambda error: _explain(weak, list(paths), axes, error),
    )


def _open_asked(paths: Sequence[str]) -> None:
    global _last_folder
    viewer = napari.current_viewer()
    if not paths or viewer is None:
        return
    _last_folder = str(Path(paths[0]).parent)
    open_in_background(viewer, paths)


def _find(paths: list[str], axes: str | None) -> _Found:
    """Open headers; runs in a thread."""
    found = _Found()
    with reading(paths[0]):
        for path in stacks_among(paths):
            saved = saved_at(path)
            if saved is not None:
                found.layers.extend(saved)
                continue
            sources, left_out = sources_of(path, axes)
            found.files.append(sources)
            found.left_out.extend(left_out)
    return found


def _choose(viewer: weakref.ref[ViewerModel], found: _Found) -> None:
    """Ask which series are wanted, and have their layers made in a thread."""
    for reason in found.left_out:
        show_warning(reason)
    if found.layers:
        dress_saved_layers()
    _add(viewer, found.layers)
    chosen: list[StackSource] = []
    for sources in found.files:
        chosen.extend(pick_series(sources) if len(sources) > 1 else sources)
    if chosen:
        names = ", ".join(source.name for source in chosen)
        start_task(
            f"Looking at {names}", _layers_of, chosen, done=lambda layers: _add(viewer, layers)
        )


def _explain(
    viewer: weakref.ref[ViewerModel], paths: list[str], axes: str | None, error: Exception
) -> None:
    """Show an error; where the axes are the reason, ask for them, once."""
    alive = viewer()
    if alive is not None and axes is None and isinstance(error, SourceError):
        answer = ask_axes(error) if is_about_axes(error) else None
        if answer is not None:
            open_in_background(alive, paths, answer)
            return
    show_failure(error)


def _layers_of(sources: list[StackSource]) -> list[LayerTuple]:
    """Look at a few tiles for the contrast limits; runs in a thread."""
    return [layer for source in sources for layer in layers_of_stack(source)]


def _add(viewer: weakref.ref[ViewerModel], layers: Sequence[LayerTuple]) -> None:
    alive = viewer()
    if alive is None:
        return
    for data, kwargs, _ in layers:
        alive.add_image(data, **kwargs)
