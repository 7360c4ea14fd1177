"""A restoration with a planted spot, and its layers as they open from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.components import ViewerModel

from napari_gmff._napari.layers.result_sets import ResultSet
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved
from tests.gui.sets import fused_set
from tests.restoration.made_restorations import made_restoration


def saved_restoration(
    viewer: ViewerModel, path: Path, *, format: Any = "ome-zarr", n_seeds: int = 2, **options: Any
) -> ResultSet:
    """Fuse a stack into a viewer, save a restoration of it, and open that in the viewer too.

    Returns
    -------
    ResultSet
        The fusion.
    """
    fused = fused_set(viewer, **options)
    folder = path.parent / f"{path.name}-working"
    with made_restoration(fused.result, folder, n_seeds=n_seeds) as made:
        made.save(path, format=format)
    for data, kwargs, _ in layers_of_saved(open_saved(path)):
        viewer.add_image(data, **kwargs)
    return fused
