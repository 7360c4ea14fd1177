"""Gets the part of a result ready that is looked at, before a focus curve in it is asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.layers.result_sets import result_sets
from napari_gmff.errors import FusionCancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_gmff._napari.inspecting.pixel_picker import Pixel
    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff.focus_curves import FocusCurves
    from napari_gmff.windows import Box

LOOK_MS = 300
"""Between two looks at what is pointed at; work begins where two find the same."""

Part = tuple["FocusCurves", int, "Box"]
"""What becomes ready together: whose curves, time point, and pixels of the result."""


class CurvePreparer(QObject):
    """Uses the time in which nothing else is computed.

    It works for one part of one result at a time: that under the pointer, else that in the middle
    of the canvas. It gives way to a curve that is asked for, stops where a fusion begins, and says
    nothing: what goes wrong is told when a curve is asked for.

    Parameters
    ----------
    viewer : ViewerModel
        What is on its canvas counts.
    is_computing : callable
        Whether a curve is being computed that somebody waits for.
    parent : QObject, optional
        Owner in Qt's sense; the work stops when it goes.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        is_computing: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._is_computing = is_computing
        self._set: Fusion | None = None
        self._pointed: Pixel | None = None
        self._aim: Part | None = None
        self._job = _Job()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._sets = result_sets(viewer)
        # The thread may outlive this object by one slice. No lambda: PyQt would call it even where
        # Python has collected it together with this object, and crash.
        self._latest = _Latest(self._job)
        self.destroyed.connect(self._latest.stop)

    @property
    def is_working(self) -> bool:
        """Whether something is being got ready."""
        return self._job.is_alive

    def use(self, result_set: Fusion | None) -> None:
        """Work for another result, or for none."""
        if result_set is not self._set:
            self._set, self._pointed = result_set, None
            self._halt()

    def point_at(self, pixel: Pixel | None) -> None:
        """Say what is under the pointer."""
        self._pointed = pixel

    def start(self) -> None:
        """Begin to look for something to do."""
        self._timer.start()

    def stop(self) -> None:
        """Do nothing any more; work that goes on ends within one slice."""
        self._timer.stop()
        self._halt()

    def _halt(self) -> None:
        self._aim = None
        self._job.stop.set()

    def _look(self) -> None:
        if self._sets.is_fusing or self._is_computing():
            self._halt()
            return
        before, self._aim = self._aim, self._find_aim()
        if self._aim is None or self._aim != before or self._aim == self._job.part:
            return
        self._job.stop.set()
        if not self._job.is_alive:
            self._job = self._latest.job = _Job(self._aim)
            self._job.start()

    def _find_aim(self) -> Part | None:
        """Return what should be ready and is not."""
        pixel = self._pointed or self._pixel_in_middle()
        curves = None if self._set is None else self._set.result.curves
        if curves is None or pixel is None:
            return None
        time, y, x = pixel
        return None if curves.is_ready(y, x, time) else (curves, time, curves.window_at(y, x))

    def _pixel_in_middle(self) -> Pixel | None:
        viewer = self._viewer
        if self._set is None or viewer.dims.ndisplay != 2:
            return None
        world = list(viewer.dims.point)
        for axis, center in zip(viewer.dims.displayed, camera_of(viewer).center[-2:], strict=True):
            world[axis] = center
        return self._set.pixel_at(tuple(world))


@dataclass
class _Job:
    """One part that a thread gets ready.

    The thread is none of napari's, which would ask before it closes its window, and wait.
    """

    part: Part | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._prepare, name="focus curves")
        self._thread.start()

    def _prepare(self) -> None:
        assert self.part is not None
        curves, time, box = self.part
        try:
            curves.prepare(box.y0, box.x0, time, should_stop=self.stop.is_set)
        except FusionCancelled:
            pass
        except Exception:
            # It would go wrong again; a curve that is asked for here will tell.
            return
        self.part = None  # it may be taken up again


class _Latest:
    """Outlives the object whose latest job it stops."""

    def __init__(self, job: _Job) -> None:
        self.job = job

    def stop(self) -> None:
        self.job.stop.set()
