"""Measures heights along a line: plot, numbers, and the table as a file or on the clipboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.field_editors import quiet_wheel
from napari_gmff._napari.common.newest import Newest
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.heights.profile_line import ProfileLine
from napari_gmff._napari.heights.profile_plot import ProfilePlot
from napari_gmff.errors import GmffError
from napari_gmff.height_profile import MAX_WIDTH_PX, HeightProfile, height_profile

if TYPE_CHECKING:
    import napari.viewer

    from napari_gmff._napari.heights.height_map import HeightMap
    from napari_gmff._napari.layers.saved_fusions import Fusion

_HINT = "Draw a line over the image to see the heights along it."


class ProfilePanel(QWidget):
    """Plots the heights along the line that the user draws.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Has the layer of lines.
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.
    """

    about_to_draw = Signal()
    """The user wants to draw a line, which takes a view in 2D."""

    def __init__(self, viewer: napari.viewer.Viewer, used_letters: set[str]) -> None:
        super().__init__()
        self.line = ProfileLine(viewer)
        self._set: Fusion | None = None
        self._heights: HeightMap | None = None
        self._measurer = Newest(self)
        self._writer = Background(self)
        self.draw = QPushButton(with_mnemonic("Draw a line", used_letters))
        self.width = QSpinBox()
        self.plot = ProfilePlot(viewer)
        self.save = QPushButton(with_mnemonic("Save CSV…", used_letters))
        self.copy = QPushButton(with_mnemonic("Copy table", used_letters))
        self._words, self._between = Words(), Words()
        self._lay_out(used_letters)
        self._connect()
        self._show(None)

    @property
    def words(self) -> str:
        """Length and heights of the line, or what to do, in words."""
        return self._words.words

    @property
    def words_between(self) -> str:
        """What is measured between the cursors, in words."""
        return self._between.words

    @property
    def is_busy(self) -> bool:
        """Whether a line is being measured or a table written."""
        return self._measurer.is_busy or self._writer.is_busy

    def use(self, result_set: Fusion | None, heights: HeightMap | None) -> None:
        """Measure on another fusion, or on other heights of the same one, or not at all."""
        self._heights = heights
        self.draw.setEnabled(heights is not None)
        if result_set is self._set:
            self.measure()
            return
        self._set = result_set
        self.line.use(result_set)

    def measure(self) -> None:
        """Measure the line again."""
        points = self.line.points_px()
        if self._heights is None or points is None or not np.ptp(points, axis=0).any():
            self._measurer.forget()
            self._show(None)
        elif not self._heights.scale.is_known:
            self._measurer.forget()
            self._show(None, "Lengths and heights are measured in µm: enter the sizes above.")
        else:
            self._measurer.ask(_profile, self._heights, points, self.width.value())

    def save_csv(self) -> None:
        """Ask for a name, and write the table there in a thread."""
        profile = self.plot.profile
        if profile is None or self._set is None:
            return
        suggested = f"{self._set.name} profile.csv"
        path, _ = QFileDialog.getSaveFileName(self, "Save profile", suggested, "CSV (*.csv)")
        if path:
            # The dialog has asked about the very name that it gave, and about no other.
            is_asked = path.lower().endswith(".csv")
            target = Path(path if is_asked else f"{path}.csv")
            self._writer.ask(_written, profile, target, is_asked)

    def copy_table(self) -> None:
        """Put the table on the clipboard, as spreadsheets take it."""
        if self.plot.profile is not None:
            QApplication.clipboard().setText(self.plot.profile.as_table("\t"))
            show_info("Copied the heights along the line.")

    def _lay_out(self, used_letters: set[str]) -> None:
        self.width.setRange(1, MAX_WIDTH_PX)
        self.width.setSuffix(" px")
        self.width.setKeyboardTracking(False)
        self.width.setMaximumWidth(96)
        self.width.setAccessibleName("Width of the line")
        quiet_wheel(self.width)
        label = QLabel(with_mnemonic("Width", used_letters))
        label.setBuddy(self.width)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        # Tab goes through the parts in the order in which they are added.
        layout.addLayout(_row(self.draw, label, self.width))
        for widget in (self.plot, self._words, self._between):
            layout.addWidget(widget)
        layout.addLayout(_row(self.save, self.copy))
        tips = {
            self.draw: "Then press and drag on the image. The line stays a layer: move its ends, "
            "draw others, select the one to measure.",
            label: _TIP_WIDTH,
            self.width: _TIP_WIDTH,
            self.save: "Distance, height and pixel of every point, with units, as a text file.",
            self.copy: "The same table for a spreadsheet.",
        }
        for widget, tip in tips.items():
            widget.setToolTip(f"<qt>{tip}</qt>")

    def _connect(self) -> None:
        self.draw.clicked.connect(self._on_draw)
        self.width.valueChanged.connect(lambda _: self.measure())
        self.save.clicked.connect(lambda: self.save_csv())
        self.copy.clicked.connect(lambda: self.copy_table())
        self.line.changed.connect(self.measure)
        self.plot.cursors_moved.connect(self._say_between)
        self._measurer.answered.connect(self._show)
        self._measurer.failed.connect(self._on_failed)
        self._writer.answered.connect(lambda path: show_info(f"Saved {path}"))
        self._writer.failed.connect(show_failure)

    def _on_draw(self) -> None:
        self.about_to_draw.emit()
        self.line.draw()

    def _show(self, profile: HeightProfile | None, why: str = _HINT) -> None:
        self.plot.show_profile(profile)
        for button in (self.save, self.copy):
            button.setEnabled(profile is not None)
        self._words.say(why if profile is None else _in_words(profile))

    def _say_between(self) -> None:
        profile = self.plot.profile
        if profile is None:
            self._between.say("")
            return
        first, second = self.plot.cursors_um
        rise = profile.height_at(second) - profile.height_at(first)
        self._between.say(f"Between the cursors: {_digits(second - first)} µm, {_signed(rise)}.")

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, GmffError):
            self._show(None, str(error))
        else:
            show_failure(error)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, QPushButton) else 0)
    return row


def _profile(heights: HeightMap, points_px: np.ndarray, width_px: int) -> HeightProfile:
    return height_profile(
        heights,
        points_px,
        heights.scale.pixel_size_um,
        width_px,
        depth_unit=heights.scale.depth_unit,
    )


def _written(profile: HeightProfile, path: Path, overwrite: bool) -> Path:
    return profile.save_csv(path, overwrite=overwrite)


def _in_words(profile: HeightProfile) -> str:
    if not np.isfinite(profile.height_um).any():
        return f"Length {_digits(profile.length_um)} µm. No height is known along the line."
    return (
        f"Length {_digits(profile.length_um)} µm. From start to end "
        f"{_signed(profile.height_difference_um)}; from lowest to highest "
        f"{_digits(profile.height_range_um)} µm."
    )


def _digits(value: float) -> str:
    """Write four digits, or more before the decimal point; never an exponent where it is large."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def _signed(height_um: float) -> str:
    if not np.isfinite(height_um):
        return "height unknown"
    amount = _digits(abs(height_um))
    sign = "" if amount == "0" else "−" if height_um < 0 else "+"
    return f"{sign}{amount} µm in height"


_TIP_WIDTH = (
    "Averages over so many parallel lines, one pixel apart. Pixels without depth do not count."
)
