"""Whether there is somebody to ask."""

from __future__ import annotations


def is_window_running() -> bool:
    """Whether somebody sits before a window of napari: it handles events at this moment.

    A script that opens files before `napari.run()`, or without a window, is not asked anything.
    """
    import napari

    if napari.current_viewer() is None:
        return False
    # There is a window, so there is Qt; without one, napari may be installed without it.
    from qtpy.QtCore import QThread

    thread = QThread.currentThread()
    return thread is not None and thread.loopLevel() > 0
