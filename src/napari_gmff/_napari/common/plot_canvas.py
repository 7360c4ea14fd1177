"""A matplotlib plot that looks like the window it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from napari.components import ViewerModel
    from qtpy.QtGui import QFocusEvent, QResizeEvent

_FONT_PT = 8
# In screen pixels: a share of the width would leave no room for tick labels in a narrow dock.
_MARGINS_PX = {"left": 52, "right": 10, "top": 8, "bottom": 36}
_LEAST_PLOT_PX = 20


class PlotColors(NamedTuple):
    """Colours of a plot, as matplotlib takes them."""

    text: str
    background: str
    grid: str
    line: str
    mark: str


_DARK = {"line": "#56b4e9", "mark": "#f0a830"}
_LIGHT = {"line": "#0072b2", "mark": "#c04e00"}


class ThemedPlot(FigureCanvasQTAgg):
    """A plot in the colours of the viewer's theme, drawn again when the theme changes.

    Subclasses override `draw_plot`.

    Parameters
    ----------
    viewer : ViewerModel
        Its theme counts.
    height_px : int
        Height; the width is that of the dock.
    """

    def __init__(self, viewer: ViewerModel, height_px: int) -> None:
        super().__init__(Figure())
        self._viewer = viewer
        self._axes: Axes = self.figure.add_subplot()
        self.setFixedHeight(height_px)
        self.setMinimumWidth(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        viewer.events.theme.connect(self.redraw)

    @property
    def colors(self) -> PlotColors:
        """Colours that are readable in the theme of the viewer."""
        theme = get_theme(self._viewer.theme)
        # napari before 0.7 does not say whether a theme is light.
        is_light = sum(theme.background.as_rgb_tuple()[:3]) > 3 * 127
        accents = _LIGHT if is_light else _DARK
        text, background = theme.text.as_hex(), theme.background.as_hex()
        return PlotColors(text, background, theme.primary.as_hex(), **accents)

    def draw_plot(self, axes: Axes) -> None:
        """Draw into empty axes of the right colours."""
        raise NotImplementedError

    def redraw(self, event: Any = None) -> None:
        """Draw everything again, soon."""
        del event
        colors = self.colors
        self.figure.set_facecolor(colors.background)
        axes = self._axes
        axes.clear()
        # matplotlib keeps the limits of old data where the first new line is an axvline.
        axes.dataLim.set(Bbox.null())
        axes.set_facecolor(colors.background)
        axes.tick_params(colors=colors.text, labelsize=_FONT_PT, length=3)
        for name, spine in axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            # The keyboard's place must be seen.
            spine.set_color(colors.mark if self.hasFocus() else colors.grid)
        self.draw_plot(axes)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_color(colors.text)
            label.set_fontsize(_FONT_PT)
        self.draw_idle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the margins as wide as the tick labels need."""
        super().resizeEvent(event)
        width = max(self.width(), _MARGINS_PX["left"] + _MARGINS_PX["right"] + _LEAST_PLOT_PX)
        height = max(self.height(), _MARGINS_PX["top"] + _MARGINS_PX["bottom"] + _LEAST_PLOT_PX)
        self.figure.subplots_adjust(
            left=_MARGINS_PX["left"] / width,
            right=1 - _MARGINS_PX["right"] / width,
            top=1 - _MARGINS_PX["top"] / height,
            bottom=_MARGINS_PX["bottom"] / height,
        )
        self.draw_idle()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that the arrow keys go here."""
        super().focusInEvent(event)
        self.redraw()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that the arrow keys go elsewhere."""
        super().focusOutEvent(event)
        self.redraw()
