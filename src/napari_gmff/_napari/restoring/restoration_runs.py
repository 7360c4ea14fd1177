"""Restorations of one viewer: one at a time, to layers of their own or to nothing."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from napari_gmff._napari.common.generator_run import GeneratorRun, stoppable
from napari_gmff._napari.layers.restored_layers import iter_add_restored_layers
from napari_gmff._napari.layers.restored_sets import RestoredSet, restored_sets
from napari_gmff._napari.layers.result_sets import ResultSet, result_sets
from napari_gmff._napari.restoring.restoration_work import restoration_steps
from napari_gmff._napari.restoring.stack_at_hand import views_like
from napari_gmff.errors import GmffError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    import numpy as np
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_gmff._napari.common.generator_run import MakeSteps
    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff._napari.restoring.restoration_parts import RestorationParts
    from napari_gmff._napari.restoring.restoration_work import Restored
    from napari_gmff.restoration.params import RestoreParams

PREVIEW_MARK = " (preview)"
"""At the end of the names of temporary layers, before the mark."""

GROW_MS = 20
"""Between two layers, in which the window can draw and hear."""

_log = logging.getLogger(__name__)


class RestorationRuns(QObject):
    """Starts restorations, shows their layers, and cleans up after them.

    Whatever ends a run early leaves no layer and no file.

    Parameters
    ----------
    viewer : napari.Viewer
        Receives the layers.
    parts : RestorationParts
        Loads models and runs them.
    parent : QObject
        A run that still goes on is abandoned together with it.
    """

    started = Signal()
    ended = Signal()
    """After success, failure and cancelling alike."""
    progressed = Signal(object)
    """The `RunState`."""
    finished = Signal(object)
    """The `RestoredSet` of a run that succeeded."""
    tested = Signal(object)
    """What a self-test returned."""
    failed = Signal(Exception)
    previews_changed = Signal(bool)
    """Whether there are layers of a preview now."""

    def __init__(self, viewer: napari.Viewer, parts: RestorationParts, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._parts = parts
        self._run: GeneratorRun | None = None
        self._fusion: Fusion | None = None
        self._reason = ""
        self._growing: list[Image] = []
        self._preview: list[Image] = []
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_running(self) -> bool:
        """Whether something runs."""
        return self._run is not None

    def restore(
        self,
        fusion: Fusion,
        params: RestoreParams,
        mask: NDArray[np.bool_] | None,
        *,
        is_preview: bool = False,
    ) -> None:
        """Restore a fusion into new layers, which replace none.

        Parameters
        ----------
        fusion : ResultSet or SavedFusion
            What is restored.
        params : RestoreParams
            All parameters.
        mask : ndarray, optional
            Painted, axes (T)YX; that of low confidence where left out.
        is_preview : bool
            Make temporary layers, which take the place of earlier ones.
        """
        name, parts, views = fusion.name, self._parts, []
        if not isinstance(fusion, ResultSet):
            views = views_like(list(self._viewer.layers), fusion.result.provenance)
        self._start(
            f"Preview of {name} restored" if is_preview else f"Restoring {name}",
            stoppable(lambda _: restoration_steps(parts, fusion, params, mask, views)),
            fusion,
            lambda restored: self._show(restored, fusion, params, is_preview),
        )

    def self_test(self, fusion: ResultSet, params: RestoreParams) -> None:
        """Drop slices of a fusion's stack, restore what is missing, and compare."""
        parts, stack, fuse_params = self._parts, fusion.stack, fusion.params
        self._start(
            f"Testing restoration on {fusion.name}",
            stoppable(lambda _: parts.self_test(stack, fuse_params, params)),
            fusion,
            self._on_tested,
        )

    def cancel(self, reason: str = "") -> None:
        """Stop what runs; the reason, if any, is shown when it has stopped."""
        if self._run is not None:
            self._reason = self._reason or reason
            self._run.cancel()

    def clear_preview(self) -> None:
        """Remove the layers of the last preview."""
        layers, self._preview = self._preview, []
        self._remove(layers)
        self.previews_changed.emit(False)

    def abandon(self) -> None:
        """Stop at once and for good, and remove what is half-done, as when the dock is closed."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._run is not None:
            self._run.abandon()
            self._end()
        self.clear_preview()

    def _start(
        self,
        title: str,
        make_steps: MakeSteps,
        fusion: Fusion,
        on_success: Callable[[Any], None],
    ) -> None:
        assert self._run is None, "one run at a time"
        self.clear_preview()
        run = self._run = GeneratorRun(title, make_steps, self)
        self._fusion, self._reason, self._growing = fusion, "", []
        run.progressed.connect(self.progressed.emit)
        run.noted.connect(show_warning)
        run.finished.connect(on_success)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._on_cancelled)
        fusion.corrected.connect(self._on_corrected)
        result_sets(self._viewer).is_fusing = True
        run.start()
        self.started.emit()

    def _show(
        self, restored: Restored, fusion: Fusion, params: RestoreParams, is_preview: bool
    ) -> None:
        """Add the layers one at a time, so that the window stays free."""
        over = fusion.layers.get("fused") or [fusion.any_layer()]
        if over[0] is None or self._is_stopping():
            restored.close()
            self._on_cancelled()
            return
        made = RestoredSet(fusion.name, restored.result, restored.images, weakref.ref(fusion))
        adding = iter_add_restored_layers(
            self._viewer,
            restored.images,
            restored.result.geometry,
            restored.result.provenance,
            fusion.name,
            list(over),
            limits=restored.limits,
            first=_first_pixel(params),
            set_id=None if is_preview else made.set_id,
            suffix=PREVIEW_MARK if is_preview else "",
        )
        self._grow(made, adding, is_preview)

    def _grow(
        self, made: RestoredSet, adding: Iterator[tuple[str, Image]], is_preview: bool
    ) -> None:
        if self._run is None or self._is_stopping():
            made.close()
            if self._run is not None:
                self._on_cancelled()
            return
        try:
            image, layer = next(adding, (None, None))
        except Exception as error:  # else the run would never end
            made.close()
            self._on_failed(error)
            return
        if image is not None and layer is not None:
            made.layers.setdefault(image, []).append(layer)
            self._growing.append(layer)
            QTimer.singleShot(GROW_MS, lambda: self._grow(made, adding, is_preview))
            return
        layers, self._growing = self._growing, []
        self._end()
        if is_preview:
            made.close()  # the layers show what is in memory
            self._preview = layers
            self.previews_changed.emit(True)
            return
        restored_sets(self._viewer).add(made)
        self.finished.emit(made)

    def _on_tested(self, verdict: object) -> None:
        self._end()
        self.tested.emit(verdict)

    def _on_failed(self, error: Exception) -> None:
        if self._reason:  # its source was taken away, and it stumbled over that
            self._on_cancelled()
            return
        self._end()
        if isinstance(error, GmffError):
            show_error(str(error))
        else:
            _log.error("a restoration failed", exc_info=error)
            show_error(f"Restoring failed: {type(error).__name__}: {error}")
        self.failed.emit(error)

    def _on_cancelled(self) -> None:
        reason = self._reason
        self._end()
        if reason:
            show_warning(reason)

    def _end(self) -> None:
        run, fusion, layers = self._run, self._fusion, self._growing
        self._run = self._fusion = None
        self._growing = []
        result_sets(self._viewer).is_fusing = False
        if fusion is not None:
            fusion.corrected.disconnect(self._on_corrected)
        if run is not None:
            run.deleteLater()
        self._remove(layers)
        self.ended.emit()

    def _is_stopping(self) -> bool:
        return self._run is not None and self._run.is_stopping

    def _remove(self, layers: list[Image]) -> None:
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _on_corrected(self, time: int, place: object) -> None:
        del time, place
        name = "" if self._fusion is None else self._fusion.name
        self.cancel(f"{name} was corrected while it was being restored; nothing of it is kept.")

    def _on_removed(self, event: Any) -> None:
        fusion = self._fusion
        if fusion is not None and fusion.any_layer() is None:
            self.cancel(f"{fusion.name} was deleted while it was being restored.")
        if self._preview and not any(layer in self._viewer.layers for layer in self._preview):
            self.clear_preview()


def _first_pixel(params: RestoreParams) -> tuple[int, int, int]:
    """Return time point, row and column of the fused image at which a restoration begins."""
    time = 0 if params.time is None else params.time[0]
    rows, columns = ((0, 0), (0, 0)) if params.region is None else params.region
    return time, rows[0], columns[0]
