"""Whether there is somebody to ask."""

from __future__ import annotations

import subprocess
import sys

from qtpy.QtCore import QTimer

from napari_gmff._napari.common.running_window import is_window_running


def test_nobody_is_asked_before_the_window_handles_events(make_napari_viewer):
    make_napari_viewer()
    assert not is_window_running()


def test_a_window_that_handles_events_can_be_asked(make_napari_viewer, qtbot):
    make_napari_viewer()
    found = []
    QTimer.singleShot(0, lambda: found.append(is_window_running()))
    qtbot.waitUntil(lambda: bool(found))
    assert found == [True]


def test_without_a_window_nobody_is_asked_though_events_are_handled(qtbot):
    found = []
    QTimer.singleShot(0, lambda: found.append(is_window_running()))
    qtbot.waitUntil(lambda: bool(found))
    assert found == [False]


def test_reading_needs_no_qt_where_there_is_no_window(tmp_path):
    program = (
        "import sys;"
        "sys.modules['qtpy.QtWidgets'] = None;"
        "import numpy, tifffile;"
        f"path = {str(tmp_path / 'a.ome.tif')!r};"
        "tifffile.imwrite(path, numpy.zeros((3, 8, 8), 'u2'), metadata={'axes': 'ZYX'});"
        "from napari_gmff._napari.files.reader import read;"
        "assert len(read(path)) == 1"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
