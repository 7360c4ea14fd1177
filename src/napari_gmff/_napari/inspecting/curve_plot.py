"""Plot of what every slice says about one pixel, in which a slice can be picked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from qtpy.QtCore import Qt, Signal

from napari_gmff._napari.common.plot_canvas import ThemedPlot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import MouseEvent
    from napari.components import ViewerModel
    from numpy.typing import NDArray
    from qtpy.QtGui import QKeyEvent

_HEIGHT_PX = 170
# Told apart with any colour vision; those of colour samples are what their names say.
_COLORS = {"red": "#d55e00", "green": "#009e73", "blue": "#56b4e9"}
_MORE_COLORS = ("#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
_KEYS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Home: -(10**9),
    Qt.Key.Key_End: 10**9,
}


@dataclass(frozen=True, eq=False)
class PlottedCurves:
    """What is plotted against the slices.

    Attributes
    ----------
    numbers : ndarray, (N,), int
        Slices of the source.
    values : ndarray, (C, N)
        One curve for each row; what is not finite is left out.
    names : tuple of str
        One for each curve; a single curve needs none.
    chosen : int
        Slice that the fused pixel came from.
    """

    numbers: NDArray[np.integer[Any]]
    values: NDArray[Any]
    names: tuple[str, ...]
    chosen: int


class CurvePlot(ThemedPlot):
    """Focus score, or intensity, against slice; the chosen slice is marked.

    A click, or the arrow keys, pick another slice.

    Parameters
    ----------
    viewer : ViewerModel
        Its theme counts.
    """

    slice_picked = Signal(int)
    """Number of the slice that the user wants to know about."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._curves: PlottedCurves | None = None
        self._picked: int | None = None
        super().__init__(viewer, _HEIGHT_PX)
        self.setAccessibleName("Focus curve of the pixel")
        self.setToolTip(
            "Each dot is a slice; the large one is the slice that the pixel was taken from.\n"
            "Click another, or use the arrow keys, to see what the pixel would be."
        )
        self.mpl_connect("button_press_event", self._on_click)
        self.redraw()

    @property
    def curves(self) -> PlottedCurves | None:
        """What is plotted; None for empty axes."""
        return self._curves

    @property
    def picked(self) -> int | None:
        """The slice that the user picked, None where none."""
        return self._picked

    def show_curves(self, curves: PlottedCurves | None, picked: int | None = None) -> None:
        """Plot other curves, or none."""
        if curves is None and self._curves is None:
            return
        self._curves = curves
        self._picked = picked
        self.redraw()

    def draw_plot(self, axes: Axes) -> None:
        """Draw the curves and their marks."""
        axes.set_xlabel("slice")
        curves = self._curves
        if curves is None:
            axes.set_yticks([])
            axes.set_xticks([])
            return
        colors = self.colors
        first, last = int(curves.numbers[0]), int(curves.numbers[-1])
        axes.set_xlim(first - 0.5, last + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.axvline(curves.chosen, color=colors.mark, linewidth=1.5)
        if self._picked is not None and self._picked != curves.chosen:
            axes.axvline(self._picked, color=colors.text, linewidth=1, linestyle="--")
        small = 3 if last - first < 60 else 0
        at = np.flatnonzero(curves.numbers == curves.chosen)
        for number, (values, name) in enumerate(zip(curves.values, curves.names, strict=True)):
            shown = np.where(np.isfinite(values), values.astype(np.float64), np.nan)
            line = colors.line
            if len(curves.names) > 1:
                line = _COLORS.get(name, _MORE_COLORS[number % len(_MORE_COLORS)])
            axes.plot(
                curves.numbers, shown, "-o", color=line, markersize=small, linewidth=1.2, label=name
            )
            axes.plot(curves.numbers[at], shown[at], "o", color=colors.mark, markersize=7)
        if len(curves.names) > 1:
            axes.legend(fontsize=7, frameon=False, labelcolor=colors.text, loc="best")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pick the slice to the left or right of the picked one, or the first or last."""
        step = _KEYS.get(Qt.Key(event.key()))
        if step is None or self._curves is None:
            super().keyPressEvent(event)
            return
        now = self._curves.chosen if self._picked is None else self._picked
        self._pick(now + step)

    def _on_click(self, event: MouseEvent) -> None:
        if event.inaxes is not None and event.xdata is not None:
            self._pick(round(event.xdata))

    def _pick(self, number: int) -> None:
        if self._curves is None:
            return
        numbers = self._curves.numbers
        self._picked = int(np.clip(number, numbers[0], numbers[-1]))
        self.redraw()
        self.slice_picked.emit(self._picked)
