"""A fusion in a thread of its own: its pixels come in while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from napari_gmff._napari.common.generator_run import GeneratorRun, Job, MakeSteps
from napari_gmff.live_images import LiveImages

if TYPE_CHECKING:
    from qtpy.QtCore import QObject

    from napari_gmff.pipeline import Progress
    from napari_gmff.results import Geometry


class FusionRun(GeneratorRun):
    """A fusion or preview in a worker thread; it stops within one slice of a window.

    Parameters
    ----------
    title, make_steps, parent
        As for `GeneratorRun`; the steps are those of `iter_fuse`.
    """

    announced = Signal(object, object)
    """`LiveImages` that will fill, and the `Geometry` of the result."""
    window_done = Signal()
    """Pixels came in since the last look."""

    def __init__(self, title: str, make_steps: MakeSteps, parent: QObject | None = None) -> None:
        super().__init__(title, make_steps, parent)
        self._windows_seen = 0
        self._is_announced = False

    def make_job(self, title: str, make_steps: MakeSteps) -> _FusionJob:
        """Make what lives in the thread; called once."""
        self._fusing = _FusionJob(title, make_steps)
        return self._fusing

    def pass_on(self) -> None:
        """Tell of images and of windows."""
        job = self._fusing
        if job.images is not None and not self._is_announced:
            self._is_announced = True
            self.announced.emit(job.images, job.geometry)
        if job.n_windows > self._windows_seen:
            self._windows_seen = job.n_windows
            self.window_done.emit()


class _FusionJob(Job):
    def __init__(self, title: str, make_steps: MakeSteps) -> None:
        super().__init__(title, make_steps)
        self.images: LiveImages | None = None
        self.geometry: Geometry | None = None
        self.n_windows = 0

    def take(self, progress: Progress) -> None:
        """Put the pixels of a window into the images that are shown."""
        if progress.images is not None:
            self.geometry = progress.geometry
            self.images = LiveImages(progress.images.values())
        window = progress.window
        if window is not None and self.images is not None:
            for name, block in window.blocks.items():
                self.images.put(name, window.time, window.place, block)
            self.n_windows += 1
