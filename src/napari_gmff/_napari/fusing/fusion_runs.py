"""Runs and previews of one viewer: one at a time, from the first window to layers or nothing."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from napari_gmff._napari.fusing.run_layers import (
    RunLayers,
    SourceGuard,
    replace_earlier,
    slices_of,
)
from napari_gmff._napari.fusing.worker import FusionRun
from napari_gmff._napari.layers.result_sets import result_sets
from napari_gmff.errors import GmffError
from napari_gmff.pipeline import iter_fuse
from napari_gmff.plan import make_plan
from napari_gmff.preview import iter_preview

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Image, Layer

    from napari_gmff._napari.common.generator_run import MakeSteps
    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff.params import FuseParams
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult
    from napari_gmff.windows import Box

PREVIEW_MARK = " (preview)"
"""At the end of the names of temporary layers."""

GROW_MS = 20
"""Between two layers, in which the window can draw and hear."""

_log = logging.getLogger(__name__)


class FusionRuns(QObject):
    """Starts runs, shows their layers, and cleans up after them.

    Whatever ends a run early, a deleted source layer included, its layers are removed and the
    stack is given back.

    Parameters
    ----------
    viewer : napari.Viewer
        Receives the layers.
    parent : QObject
        A run that still goes on is abandoned together with it.
    """

    started = Signal()
    ended = Signal()
    """After success, failure and cancelling alike."""
    progressed = Signal(object)
    """The `RunState`."""
    finished = Signal(object)
    """The `ResultSet` of a run that succeeded."""
    failed = Signal(Exception)
    previews_changed = Signal(bool)
    """Whether there are layers of a preview now."""

    def __init__(self, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._run: FusionRun | None = None
        self._stack: FocusStack | None = None
        self._layers: RunLayers | None = None
        self._preview: RunLayers | None = None
        self._guard: SourceGuard | None = None
        self._reason = ""
        self._is_growing = False
        self._told: set[str] = set()
        self._selected: weakref.WeakSet[Layer] = weakref.WeakSet()
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_running(self) -> bool:
        """Whether something runs."""
        return self._run is not None

    @property
    def shown_layers(self) -> list[Image]:
        """The layers of what runs, as soon as its first window is finished."""
        return [] if self._layers is None else self._layers.layers

    def fuse(
        self, view: StackView, stack: FocusStack, params: FuseParams, *, replaces: bool
    ) -> None:
        """Fuse a stack into new layers.

        At the end the fused image becomes the active layer, unless the user has selected another
        one meanwhile.

        Parameters
        ----------
        view : StackView
            Where the stack is shown.
        stack : FocusStack
            Taken over: it is closed with the result, or when the run ends early.
        params : FuseParams
            All parameters.
        replaces : bool
            Remove earlier results of the same layers once this one is complete.
        """
        plan = make_plan(stack, params)
        first = (plan.times[0], plan.region.y0, plan.region.x0)
        self._start(
            f"Fusing {view.name}",
            lambda should_stop: iter_fuse(stack, params=params, should_stop=should_stop),
            stack,
            RunLayers(self._viewer, view, slices_of(stack, plan), first),
            lambda result: self._on_fused(result, params, replaces),
        )

    def preview(
        self, view: StackView, stack: FocusStack, params: FuseParams, box: Box, time: int
    ) -> None:
        """Fuse one window into temporary layers, which take the place of earlier ones.

        Parameters
        ----------
        view, stack, params
            As for `fuse`.
        box : Box
            The window, in pixels of the image.
        time : int
            Time point of the stack.
        """
        slices = slices_of(stack, make_plan(stack, params))
        first = (time, box.y0, box.x0)
        self._start(
            f"Preview of {view.name}",
            lambda should_stop: iter_preview(
                stack, params, box, time=time, should_stop=should_stop
            ),
            stack,
            RunLayers(self._viewer, view, slices, first, suffix=PREVIEW_MARK),
            self._on_previewed,
        )

    def cancel(self, reason: str = "") -> None:
        """Stop what runs; the reason, if any, is shown when it has stopped."""
        if self._run is not None:
            self._reason = self._reason or reason
            self._run.cancel()

    def clear_preview(self) -> None:
        """Remove the layers of the last preview."""
        if self._preview is not None:
            preview, self._preview = self._preview, None
            preview.remove()
        self.previews_changed.emit(False)

    def abandon(self) -> None:
        """Stop at once and for good, and remove what is half-done, as when the dock is closed."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._run is not None:
            self._run.abandon()
            self._end(keeps_layers=False)
        self.clear_preview()

    def _start(
        self,
        title: str,
        make_steps: MakeSteps,
        stack: FocusStack,
        layers: RunLayers,
        on_success: Callable[[FusionResult], None],
    ) -> None:
        assert self._run is None, "one run at a time"
        self.clear_preview()
        run = FusionRun(title, layers.prepared(make_steps), self)
        self._run, self._stack, self._layers, self._reason = run, stack, layers, ""
        self._is_growing = False
        self._told = set(stack.notes)  # those are in the dock
        self._selected = weakref.WeakSet(self._viewer.layers.selection)
        self._guard = SourceGuard(self._viewer, layers.source_layers, self.cancel)
        run.announced.connect(layers.expect)
        run.window_done.connect(self._on_window)
        run.progressed.connect(lambda state: self.progressed.emit(state))
        run.noted.connect(self._tell)
        run.finished.connect(lambda result: self._once_complete(layers, result, on_success))
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._on_cancelled)
        result_sets(self._viewer).is_fusing = True
        self.started.emit()
        run.start()

    def _on_window(self) -> None:
        """Show new pixels, in layers that are added one at a time."""
        layers = self._layers
        if layers is not None:
            layers.refresh()
            if not self._is_growing:
                self._is_growing = True
                QTimer.singleShot(0, lambda: self._grow(layers))

    def _grow(self, layers: RunLayers) -> None:
        run = self._run
        if layers is not self._layers or run is None or run.is_stopping or layers.is_complete:
            return
        layers.grow()
        self._stop_without_layers()
        QTimer.singleShot(GROW_MS, lambda: self._grow(layers))

    def _once_complete(
        self, layers: RunLayers, result: FusionResult, end: Callable[[FusionResult], None]
    ) -> None:
        """Go on when all layers are there; the run may have been stopped by then."""
        if layers is not self._layers or self._run is None:
            result.close()
        elif self._run.is_stopping:
            result.close()
            self._on_cancelled()
        elif layers.is_complete:
            end(result)
        else:
            QTimer.singleShot(GROW_MS, lambda: self._once_complete(layers, result, end))

    def _on_fused(self, result: FusionResult, params: FuseParams, replaces: bool) -> None:
        layers, stack = self._layers, self._stack
        assert layers is not None and stack is not None
        made = layers.finish(stack, params, result)
        self._stack = None  # the set closes it
        is_left_alone = set(self._viewer.layers.selection) == set(self._selected)
        if replaces and not replace_earlier(self._viewer, made):
            show_info("The earlier result is kept: it was corrected by hand, or is locked.")
        if is_left_alone:
            # Saving, and the controls of layers, act on what was made. The picked stack stays.
            self._viewer.layers.selection.active = made.any_layer()
        self._end(keeps_layers=True)
        for warning in result.provenance["warnings"]:
            self._tell(warning)
        self.finished.emit(made)

    def _on_previewed(self, result: FusionResult) -> None:
        assert self._layers is not None
        self._layers.tell_provenance(result)
        self._preview = self._layers
        result.close()  # the layers show what is in memory
        self._end(keeps_layers=True)
        self.previews_changed.emit(bool(self._preview.layers))

    def _on_failed(self, error: Exception) -> None:
        self._end(keeps_layers=False)
        if isinstance(error, GmffError):
            show_error(str(error))
        else:
            _log.error("a fusion failed", exc_info=error)
            show_error(f"Fusing failed: {type(error).__name__}: {error}")
        self.failed.emit(error)

    def _on_cancelled(self) -> None:
        reason = self._reason
        self._end(keeps_layers=False)
        if reason:
            show_warning(reason)

    def _end(self, *, keeps_layers: bool) -> None:
        run, layers, stack, guard = self._run, self._layers, self._stack, self._guard
        self._run = self._layers = self._stack = self._guard = None
        result_sets(self._viewer).is_fusing = False
        if guard is not None:
            guard.release()
        if layers is not None and not keeps_layers:
            layers.remove()
        if stack is not None:
            stack.close()
        if run is not None:
            run.deleteLater()
        self.ended.emit()

    def _tell(self, note: str) -> None:
        """Show what came up in a run, once: its record says it again."""
        if note not in self._told:
            self._told.add(note)
            show_warning(note)

    def _on_removed(self, event: Any) -> None:
        self._stop_without_layers()
        if self._preview is not None and not self._preview.layers:
            self.clear_preview()

    def _stop_without_layers(self) -> None:
        if self._layers is not None and self._layers.were_deleted:
            self.cancel("All layers of the result were deleted, so the run was stopped.")
