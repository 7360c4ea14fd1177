"""One fusion that is being corrected by hand: its layer, and the result that follows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.correcting.correction_follower import Change, CorrectionFollower
from napari_gmff._napari.correcting.correction_layer import box_on_screen
from napari_gmff._napari.correcting.correction_work import (
    Pixels,
    labels_from_file,
    labels_that_fill,
    save_labels,
)
from napari_gmff._napari.correcting.painted_layer import PaintedLayer
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.slice_navigation import slice_in_view, time_in_view

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_gmff._napari.layers.result_sets import ResultSet
    from napari_gmff.corrected_result import CorrectedResult

DRAW_MS = 40
"""Between two drawings of layers that change while a brush moves."""


class CorrectionSession(QObject):
    """Lets a result follow the Labels layer in which it is corrected.

    It lives as long as the result is in the viewer, whether or not a dock widget or the layer is
    there. Deleting the layer leaves the corrections as they are.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Has the layers of the result.
    result_set : ResultSet
        The result; its `result` becomes the corrected one.
    """

    changed = Signal()
    """Pixels were corrected, or the layer came or went."""
    told = Signal(str)
    """Words for the user."""
    failed = Signal(Exception)
    """Why something could not be done."""

    def __init__(self, viewer: ViewerModel, result_set: ResultSet) -> None:
        super().__init__()
        self._viewer = viewer
        self._set = result_set
        self._original = result_set.result
        self._painted = PaintedLayer(viewer, result_set)
        self._painted.painted.connect(self._follow)
        self._painted.changed.connect(self.changed.emit)
        self._painted.told.connect(self.told.emit)
        self._painted.failed.connect(self.failed.emit)
        self._follower = CorrectionFollower(self._original, result_set.stack, result_set.images)
        self._follower.started.connect(self._on_started)
        self._follower.changed.connect(self._on_changed)
        self._follower.failed.connect(self.failed.emit)
        self._follower.settled.connect(self._on_settled)
        self._work = Background(self)
        self._work.answered.connect(self._on_answer)
        self._work.failed.connect(self.failed.emit)
        self._to_draw: list[Change] = []
        self._draw_timer = QTimer(self)
        self._draw_timer.setSingleShot(True)
        self._draw_timer.setInterval(DRAW_MS)
        self._draw_timer.timeout.connect(self._draw)
        result_set.correcting = self

    @property
    def layer(self) -> Labels | None:
        """The layer that is painted in; None before `open_layer` and after it was deleted."""
        return self._painted.layer

    @property
    def numbers(self) -> list[int]:
        """Slices that may be chosen."""
        return self._painted.numbers

    @property
    def mark(self) -> int:
        """Label of an area to be filled."""
        return self._painted.mark

    @property
    def n_corrected(self) -> int:
        """Number of corrected pixels, of all time points."""
        live = self._follower.live
        return 0 if live is None else live.n_corrected

    @property
    def fraction(self) -> float:
        """Corrected part of all pixels, from 0 to 1."""
        return self.n_corrected / self._painted.labels.size

    @property
    def is_settled(self) -> bool:
        """Whether all that was painted is applied, drawn and written."""
        is_waiting = self._painted.is_waiting or self._draw_timer.isActive()
        return self._follower.is_settled and not self._work.is_busy and not is_waiting

    def open_layer(self) -> Labels:
        """Show the layer and take it into the hand; see `PaintedLayer.open`."""
        return self._painted.open()

    def use_slice(self, number: int) -> None:
        """Paint with a slice from now on.

        Parameters
        ----------
        number : int
            One of `numbers`.
        """
        self.open_layer().selected_label = number + 1

    def slice_in_view(self) -> int | None:
        """Return the slice that the slider shows, None where it is none that was fused."""
        number = slice_in_view(self._viewer, self._set)
        return number if number in self.numbers else None

    def mark_area(self) -> None:
        """Paint marks from now on, that say where to fill."""
        self.open_layer().selected_label = self.mark

    def fill(self) -> None:
        """Fill the marked area of the time point in view from its neighbours, in a thread."""
        index = self._set.images.levels("focus_index")[0]
        labels, time = self._painted.labels, time_in_view(self._viewer, self._set)
        self._work.ask(labels_that_fill, self._original, index, labels, self.mark, time)

    def undo(self) -> None:
        """Take the last stroke back."""
        self._painted.undo()

    def redo(self) -> None:
        """Make the stroke again that was taken back."""
        self._painted.redo()

    def reset(self, *, in_view: bool = False) -> None:
        """Take corrections back; with a layer, that can be undone.

        Parameters
        ----------
        in_view : bool
            Only those on the canvas, of the time point that is seen; needs the layer.
        """
        labels = self._painted.labels
        places = np.nonzero(labels)
        if in_view and self.layer is not None:
            box = box_on_screen(self._viewer, self.layer)
            rows, columns = places[-2:]
            kept = (rows >= box.y0) & (rows < box.y1) & (columns >= box.x0) & (columns < box.x1)
            if labels.ndim == 3:
                kept &= places[0] == time_in_view(self._viewer, self._set)
            places = tuple(one[kept] for one in places)
        self._painted.put(Pixels(places, np.zeros(len(places[0]), labels.dtype)))

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write what is painted to a file, in a thread."""
        self._work.ask(save_labels, self._original, self._painted.labels, Path(path), overwrite)

    def apply_file(self, path: str | Path) -> None:
        """Paint what a file holds over what is painted; it is read in a thread."""
        self._work.ask(labels_from_file, self._original, self._painted.labels, Path(path))

    def end(self) -> None:
        """Let go of everything; the layer stays."""
        self._set.correcting = None
        self._draw_timer.stop()
        self._work.forget()
        self._painted.end()
        self._follower.end()
        self._original.close()

    def _follow(self) -> None:
        self._follower.follow(self._painted.labels, time_in_view(self._viewer, self._set))

    def _on_started(self, live: CorrectedResult) -> None:
        self._set.result = live

    def _on_changed(self, time: int, place: tuple[slice, slice]) -> None:
        self._to_draw.append((time, place))
        if not self._draw_timer.isActive():
            # The first change is seen at once, those that follow in a row not too often.
            self._draw()
            self._draw_timer.start()

    def _on_settled(self) -> None:
        self._draw()
        self.changed.emit()

    def _draw(self) -> None:
        if not self._to_draw:
            return
        drawn, self._to_draw = self._to_draw, []
        self._set.refresh("fused", "focus_index", "depth")
        self._renew_record()
        for time, place in drawn:
            self._set.corrected.emit(time, place)
        self.changed.emit()

    def _renew_record(self) -> None:
        layers: list[Any] = [layer for group in self._set.layers.values() for layer in group]
        for layer in [*layers, *([self.layer] if self.layer is not None else [])]:
            facts = layer.metadata.get(METADATA_KEY)
            if isinstance(facts, dict):
                facts["provenance"] = self._set.result.provenance

    def _on_answer(self, answer: Pixels | str) -> None:
        if isinstance(answer, str):
            self.told.emit(answer)
        else:
            self._painted.put(answer)


def session_of(viewer: ViewerModel, result_set: ResultSet) -> CorrectionSession:
    """Return the session of a result; the same object each time."""
    return result_set.correcting or CorrectionSession(viewer, result_set)
