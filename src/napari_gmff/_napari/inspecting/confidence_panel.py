"""The part of the inspector that shows where a result is not to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils import Colormap
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.view_state import PLACE, below_drawings
from napari_gmff._napari.common.words import Words, share_words, with_mnemonic
from napari_gmff._napari.layers.result_sets import aid_metadata, selection_kept
from napari_gmff._napari.layers.slice_navigation import time_in_view

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion

STEPS = 100
"""Thresholds from 0 to 1 that can be chosen."""

_START = 30
_OVERLAY_RGBA = (0.9, 0.1, 0.5, 0.6)
_NOT_SEEN_RGBA = (0.0, 0.0, 0.0, 0.0)


class ConfidencePanel(QWidget):
    """An overlay of the area with low confidence, a threshold, and how much that is.

    The overlay is the confidence map itself in two colours, so that a slider move costs nothing
    however large the image is.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the overlay; whose time point counts.
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.

    Attributes
    ----------
    box : QCheckBox
        Shows the overlay.
    slider : QSlider
        The threshold, in steps of 1 / `STEPS`.
    """

    def __init__(self, viewer: ViewerModel, used_letters: set[str]) -> None:
        super().__init__()
        self._viewer = viewer
        self._set: Fusion | None = None
        self._layer: Image | None = None
        self._time = 0
        self._below: NDArray[np.int64] | None = None
        self._work = Background(self)
        self._work.answered.connect(self._on_counts)
        self._work.failed.connect(show_failure)
        self.box = QCheckBox(with_mnemonic("Show low confidence", used_letters))
        self.box.setToolTip("Colour the pixels whose confidence is below the threshold")
        self.box.toggled.connect(self._on_toggled)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setValue(_START)
        self.slider.setToolTip(
            "Confidence is 0 where all slices are equally sharp, and 1 where one stands out"
        )
        self.slider.setAccessibleName("Confidence threshold")
        self.slider.valueChanged.connect(self._on_threshold)
        self._words = Words()
        self._lay_out(with_mnemonic("Threshold", used_letters))

    @property
    def threshold(self) -> float:
        """The chosen threshold, from 0 to 1."""
        return self.slider.value() / STEPS

    @property
    def words(self) -> str:
        """How much lies below the threshold, in words."""
        return self._words.words

    @property
    def overlay(self) -> Image | None:
        """The layer of the overlay, None where it is not shown."""
        return self._layer if self._layer in self._viewer.layers else None

    def use(self, result_set: Fusion | None) -> None:
        """Tell of another result, or of none."""
        if result_set is not self._set:
            self._remove()
        self._set = result_set
        self._work.forget()
        self._below = None
        self._show_fraction()
        self.refresh()
        if self.box.isChecked():
            self._add()

    def refresh(self) -> None:
        """Count again, after the result changed."""
        if self._set is None:
            return
        self._time = time_in_view(self._viewer, self._set)
        spec = self._set.images.specs["confidence"]
        confidence = self._set.images.levels("confidence")[0]
        frame = confidence[self._time] if "t" in spec.axes else confidence
        self._work.ask(counts_below, frame)

    def follow_time(self) -> None:
        """Count again if another time point is in view."""
        if self._set is not None and time_in_view(self._viewer, self._set) != self._time:
            self.refresh()

    def follow_layers(self) -> None:
        """Notice that the overlay was removed by hand."""
        if self._layer is not None and self.overlay is None:
            self.end()

    def end(self) -> None:
        """Take the overlay away."""
        self.box.setChecked(False)

    def _lay_out(self, title: str) -> None:
        row = QHBoxLayout()
        label = QLabel(title)
        label.setBuddy(self.slider)
        row.addWidget(label)
        row.addWidget(self.slider, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.box)
        layout.addLayout(row)
        layout.addWidget(self._words)

    def _on_counts(self, below: NDArray[np.int64]) -> None:
        self._below = below
        self._show_fraction()

    def _on_threshold(self) -> None:
        self._show_fraction()
        overlay = self.overlay
        if overlay is not None:
            overlay.contrast_limits = _limits(self.threshold)

    def _show_fraction(self) -> None:
        if self._below is None:
            self._words.say("")
            return
        n_below, n_pixels = int(self._below[self.slider.value()]), int(self._below[-1])
        self._words.say(f"{share_words(n_below, n_pixels)} below {self.threshold:.2f}")

    def _on_toggled(self, is_on: bool) -> None:
        if is_on:
            self._add()
        else:
            self._remove()

    def _add(self) -> None:
        result_set = self._set
        layers = [] if result_set is None else result_set.layers.get("confidence", [])
        if result_set is None or not layers or self.overlay is not None:
            return
        shown = layers[0]
        with selection_kept(self._viewer):
            self._layer = self._add_overlay(result_set, shown)

    def _add_overlay(self, result_set: Fusion, shown: Image) -> Image:
        overlay = self._viewer.add_image(
            shown.data,
            multiscale=shown.multiscale,
            name=f"{result_set.name} low confidence",
            # Two flat colours that meet in the middle of the limits.
            colormap=Colormap(
                [_OVERLAY_RGBA, _NOT_SEEN_RGBA], name="low confidence", interpolation="zero"
            ),
            contrast_limits=_limits(self.threshold),
            interpolation2d="nearest",
            blending="translucent",
            metadata=aid_metadata(),
            **{name: getattr(shown, name) for name in PLACE},
        )
        below_drawings(self._viewer, overlay)
        return overlay

    def _remove(self) -> None:
        overlay, self._layer = self.overlay, None
        if overlay is not None:
            self._viewer.layers.remove(overlay)


def counts_below(confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count the pixels below each threshold that can be chosen.

    Parameters
    ----------
    confidence : ndarray, (Y, X), float32
        From 0 to 1.

    Returns
    -------
    ndarray, (STEPS + 2,), int64
        Entry k is the number of pixels below k / STEPS; the last is that of all pixels.
    """
    thresholds = (np.arange(STEPS + 1) / STEPS).astype(np.float32)
    below = np.zeros(STEPS + 2, np.int64)
    for rows in np.array_split(confidence, max(1, confidence.size >> 20)):
        # How many thresholds each pixel reaches: a pixel is below all others.
        reached = np.searchsorted(thresholds, rows.ravel(), side="right")
        counts = np.bincount(reached, minlength=STEPS + 2)
        below[:-1] += np.cumsum(counts)[:-1]
        below[-1] += rows.size
    return below


def _limits(threshold: float) -> tuple[float, float]:
    return threshold - 0.5, threshold + 0.5
