"""Plot of how many pixels come from each slice, in the colours of the focus map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.ticker import FuncFormatter, MaxNLocator
from qtpy.QtCore import Signal

from napari_gmff._napari.common.colors import slice_colors
from napari_gmff._napari.common.plot_canvas import ThemedPlot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import MouseEvent
    from napari.components import ViewerModel
    from numpy.typing import NDArray

_HEIGHT_PX = 130


class HistogramPlot(ThemedPlot):
    """One bar for each slice; a click on a bar picks the slice.

    Parameters
    ----------
    viewer : ViewerModel
        Its theme counts.
    """

    slice_picked = Signal(int)
    """Number of the slice whose bar was clicked."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._numbers: NDArray[np.integer[Any]] = np.zeros(0, np.int64)
        self._shares: NDArray[np.float64] = np.zeros(0)
        super().__init__(viewer, _HEIGHT_PX)
        self.setAccessibleName("Share of pixels for each slice")
        self.setToolTip("How much of the image comes from each slice; click a bar to go there")
        self.mpl_connect("button_press_event", self._on_click)
        self.redraw()

    def show_counts(self, numbers: NDArray[np.integer[Any]], counts: NDArray[Any]) -> None:
        """Plot other counts.

        Parameters
        ----------
        numbers : ndarray, (N,)
            Slices of the source.
        counts : ndarray, (N,)
            Pixels that come from each.
        """
        self._numbers = numbers
        self._shares = counts / max(int(counts.sum()), 1)
        self.redraw()

    def draw_plot(self, axes: Axes) -> None:
        """Draw the bars."""
        axes.set_xlabel("slice")
        numbers, shares = self._numbers, self._shares
        if not numbers.size:
            axes.set_xticks([])
            axes.set_yticks([])
            return
        axes.set_ylabel("pixels")
        first, last = int(numbers[0]), int(numbers[-1])
        colors = slice_colors(last - first + 1)[numbers - first]
        left, right, zero = numbers - 0.5, numbers + 0.5, np.zeros(len(numbers))
        x, y = np.stack([left, left, right, right], -1), np.stack([zero, shares, shares, zero], -1)
        # One artist for all bars: stacks of hundreds of slices are drawn as quickly.
        edge = self.colors.grid if last - first < 60 else "none"
        bars = PolyCollection(list(np.stack([x, y], -1)), facecolors=colors, edgecolors=edge)
        axes.add_collection(bars, autolim=False)
        axes.set_xlim(first - 0.5, last + 0.5)
        axes.set_ylim(0, float(shares.max()) * 1.05 or 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))

    def _on_click(self, event: MouseEvent) -> None:
        if event.inaxes is not None and event.xdata is not None and self._numbers.size:
            low, high = int(self._numbers[0]), int(self._numbers[-1])
            self.slice_picked.emit(int(np.clip(round(event.xdata), low, high)))
