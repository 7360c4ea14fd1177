"""The viewer itself, in place of what napari hands to the widgets of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from napari.viewer import Viewer


def real_viewer(viewer: Viewer) -> Viewer:
    """Return the viewer behind a proxy.

    napari opens each widget with a proxy of its own, which wraps everything that is asked of it,
    our own objects in the metadata of layers too. Two widgets would never agree on what is the
    same viewer, layer or source.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        As a widget is given it, or the viewer itself.
    """
    return cast("Viewer", getattr(viewer, "__wrapped__", viewer))
