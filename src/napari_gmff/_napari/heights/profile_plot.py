"""Plot of heights along a line, with two cursors to measure between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator
from qtpy.QtCore import Qt, Signal

from napari_gmff._napari.common.plot_canvas import ThemedPlot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import MouseEvent
    from napari.components import ViewerModel
    from qtpy.QtGui import QKeyEvent

    from napari_gmff.height_profile import HeightProfile

_HEIGHT_PX = 170
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
_COARSE = 10
"""With Shift, a cursor moves so many times as far."""


class ProfilePlot(ThemedPlot):
    """Height against the distance along a line.

    Its two cursors are dragged with the mouse, or moved with the arrow keys.

    Parameters
    ----------
    viewer : ViewerModel
        Its theme counts.
    """

    cursors_moved = Signal()
    """Either cursor is at another distance."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._profile: HeightProfile | None = None
        self._cursors_um = [0.0, 0.0]
        self._moving = 1
        self._is_dragging = False
        super().__init__(viewer, _HEIGHT_PX)
        self.setAccessibleName("Height along the line")
        self.setToolTip(
            "<qt>Drag the two cursors to measure between them. With the keyboard, the left and "
            "right arrows move a cursor (further with Shift), up and down choose the other one."
            "</qt>"
        )
        self.mpl_connect("button_press_event", self._on_press)
        self.mpl_connect("motion_notify_event", self._on_move)
        self.mpl_connect("button_release_event", self._on_release)
        self.redraw()

    @property
    def profile(self) -> HeightProfile | None:
        """What is plotted; None for empty axes."""
        return self._profile

    @property
    def cursors_um(self) -> tuple[float, float]:
        """Distances of the cursors from the start of the line, in µm, in rising order."""
        low, high = sorted(self._cursors_um)
        return low, high

    def show_profile(self, profile: HeightProfile | None) -> None:
        """Plot another profile, or none; the cursors go to its ends if the line is another."""
        before, self._profile = self._profile, profile
        if profile is not None and (before is None or before.length_um != profile.length_um):
            self._cursors_um = [0.0, profile.length_um]
            self._moving = 1
        self.redraw()
        self.cursors_moved.emit()

    def set_cursors(self, first_um: float, second_um: float) -> None:
        """Put the cursors at distances from the start of the line, in µm."""
        self._cursors_um = [self._within(first_um), self._within(second_um)]
        self.redraw()
        self.cursors_moved.emit()

    def draw_plot(self, axes: Axes) -> None:
        """Draw the heights and the cursors."""
        axes.set_xlabel("distance (µm)")
        axes.set_ylabel("height (µm)")
        profile, colors = self._profile, self.colors
        if profile is None:
            axes.set_xticks([])
            axes.set_yticks([])
            return
        axes.plot(profile.distance_um, profile.height_um, color=colors.line, linewidth=1.4)
        margin = 0.02 * profile.length_um
        axes.set_xlim(-margin, profile.length_um + margin)
        # Heights alike up to rounding would otherwise fill the plot with noise.
        if profile.height_range_um < 1e-9:
            axes.set_ylim(profile.height_um[0] - 1, profile.height_um[0] + 1)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        for number, at_um in enumerate(self._cursors_um):
            width, style = (2.0, "-") if number == self._moving else (1.2, "--")
            axes.axvline(at_um, color=colors.mark, linewidth=width, linestyle=style)
            height = profile.height_at(at_um)
            if np.isfinite(height):
                axes.plot([at_um], [height], "o", color=colors.mark, markersize=5)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the active cursor, or make the other one active."""
        key, profile = Qt.Key(event.key()), self._profile
        if profile is None or key not in (*_STEPS, Qt.Key.Key_Up, Qt.Key.Key_Down):
            super().keyPressEvent(event)
            return
        if key not in _STEPS:
            self._moving = 1 - self._moving
            self.redraw()
            return
        is_coarse = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        step_um = profile.length_um / (len(profile.distance_um) - 1)
        way = _STEPS[key] * step_um * (_COARSE if is_coarse else 1)
        self._put(self._cursors_um[self._moving] + way)

    def _on_press(self, event: MouseEvent) -> None:
        if event.inaxes is None or event.xdata is None or self._profile is None:
            return
        distances = [abs(at_um - event.xdata) for at_um in self._cursors_um]
        self._moving = int(np.argmin(distances))
        self._is_dragging = True
        self._put(event.xdata)

    def _on_move(self, event: MouseEvent) -> None:
        if self._is_dragging and event.inaxes is not None and event.xdata is not None:
            self._put(event.xdata)

    def _on_release(self, event: MouseEvent) -> None:
        del event
        self._is_dragging = False

    def _put(self, at_um: float) -> None:
        self._cursors_um[self._moving] = self._within(at_um)
        self.redraw()
        self.cursors_moved.emit()

    def _within(self, at_um: float) -> float:
        length_um = 0.0 if self._profile is None else self._profile.length_um
        return float(np.clip(at_um, 0.0, length_um))
