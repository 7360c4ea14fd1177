"""The part of the inspector that tells which slices a result was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words
from napari_gmff._napari.inspecting.histogram_plot import HistogramPlot
from napari_gmff._napari.inspecting.pixel_facts import slice_numbers
from napari_gmff._napari.layers.slice_navigation import go_to_slice, time_in_view

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion


class SlicesPanel(QWidget):
    """Histogram of the slices used, and words for those that are not.

    Parameters
    ----------
    viewer : ViewerModel
        Whose time point counts, and whose slider is moved.

    Attributes
    ----------
    plot : HistogramPlot
        One bar for each slice.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._set: Fusion | None = None
        self._time = 0
        self._work = Background(self)
        self._work.answered.connect(self._on_counts)
        self._work.failed.connect(show_failure)
        self.plot = HistogramPlot(viewer)
        self.plot.slice_picked.connect(self._on_slice)
        self._words = Words()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.plot)
        layout.addWidget(self._words)

    @property
    def words(self) -> str:
        """What is said about the slices."""
        return self._words.words

    def use(self, result_set: Fusion | None) -> None:
        """Tell of another result, or of none."""
        self._set = result_set
        self._work.forget()
        self._words.say("")
        nothing = np.zeros(0, np.int64)
        self.plot.show_counts(nothing, nothing)
        self.refresh()

    def refresh(self) -> None:
        """Count again, after the result changed."""
        if self._set is None:
            return
        self._time = time_in_view(self._viewer, self._set)
        spec = self._set.images.specs["focus_index"]
        index = self._set.images.levels("focus_index")[0]
        frame = index[self._time] if "t" in spec.axes else index
        self._work.ask(slice_counts, frame, slice_numbers(self._set.result))

    def follow_time(self) -> None:
        """Count again if another time point is in view."""
        if self._set is not None and time_in_view(self._viewer, self._set) != self._time:
            self.refresh()

    def _on_counts(self, found: tuple[NDArray[Any], NDArray[Any]]) -> None:
        numbers, counts = found
        self.plot.show_counts(numbers, counts)
        self._words.say(unused_words(numbers, counts))

    def _on_slice(self, number: int) -> None:
        if self._set is not None:
            go_to_slice(self._viewer, self._set, number)


def slice_counts(
    index: NDArray[Any], numbers: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
    """Count the pixels that come from each slice.

    Parameters
    ----------
    index : ndarray, (Y, X), unsigned
        Focus index.
    numbers : ndarray, (N,)
        Slices of the source that were fused.

    Returns
    -------
    numbers, counts : ndarray, (N,)
    """
    counts = np.zeros(int(numbers[-1]) + 1, np.int64)
    # Row by row: numpy would copy the whole map to the widest integers first.
    rows: NDArray[Any]
    for rows in np.array_split(index, max(1, index.size >> 22)):
        counts += np.bincount(rows.ravel(), minlength=len(counts))
    return numbers, counts[numbers]


def unused_words(numbers: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]) -> str:
    """Say which slices no pixel comes from.

    Parameters
    ----------
    numbers, counts : ndarray, (N,)
        As `slice_counts` returns them.
    """
    unused = [int(number) for number, count in zip(numbers, counts, strict=True) if not count]
    if not unused:
        return f"All {len(numbers)} slices are used."
    spans = _spans(unused)
    listed = spans[0] if len(spans) == 1 else f"{', '.join(spans[:-1])} and {spans[-1]}"
    if len(unused) == 1:
        return f"Slice {listed} is not used anywhere."
    return f"Slices {listed} are not used anywhere."


def _spans(numbers: list[int]) -> list[str]:
    """Write rising numbers with runs drawn together, such as ``["0–2", "5"]``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words: list[str] = []
    for run in runs:
        if len(run) < 3:
            words.extend(str(number) for number in run)
        else:
            words.append(f"{run[0]}–{run[-1]}")
    return words
