"""The slice in view beside the fused image, with one camera for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_gmff._napari.common.view_state import ViewState
from napari_gmff._napari.common.viewer_parts import grid_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_gmff._napari.layers.saved_fusions import Fusion


class SideBySide:
    """Shows the source and the fused image in the two cells of napari's grid.

    Parameters
    ----------
    viewer : ViewerModel
        Whose grid is used.
    result_set : Fusion
        What is compared; its fused image and its source must be there.
    """

    def __init__(self, viewer: ViewerModel, result_set: Fusion) -> None:
        self._viewer = viewer
        self._state = ViewState(viewer)
        sources, fused = list(result_set.source_layers), list(result_set.layers["fused"])
        others = [layer for layer in viewer.layers if layer not in (*sources, *fused)]
        grid = grid_of(viewer)
        self._grid = (grid.enabled, grid.stride, grid.shape)
        self._state.show_only([*sources, *fused], keep_drawings=False)
        # Cells are filled with as many layers each, hidden ones included.
        n_layers = max(len(sources), len(fused))
        self._state.put_first([*sources, *others[: n_layers - len(sources)], *fused])
        grid.stride = n_layers
        grid.shape = (1, 2)
        grid.enabled = True
        self._named = [layers[0] for layers in (sources, fused)]
        self._show_names(True)

    def end(self) -> None:
        """Put grid, order and visibility back."""
        grid = grid_of(self._viewer)
        grid.enabled, grid.stride, grid.shape = self._grid
        self._show_names(False)
        self._state.restore()

    def _show_names(self, shown: bool) -> None:
        """Say on the canvas which cell is which, where napari can (0.9)."""
        for layer in self._named:
            if hasattr(layer, "name_overlay"):
                layer.name_overlay.visible = shown
