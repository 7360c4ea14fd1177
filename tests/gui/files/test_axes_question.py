"""Files that do not say their axes: the question, and what comes of the answer."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDialogButtonBox

from napari_gmff._napari.files.axes_question import AxesQuestion, ask_axes, is_about_axes
from napari_gmff._napari.files.open_command import open_in_background
from napari_gmff._napari.layers.stack_layers import SOURCE_KEY
from napari_gmff.errors import SourceError
from tests.stacks import textured

OPEN = QDialogButtonBox.StandardButton.Open
CANCEL = QDialogButtonBox.StandardButton.Cancel
PLUGIN = "napari-gmff"


@pytest.fixture(autouse=True)
def _no_old_notifications():
    """Let no test find what another one was told."""
    notification_manager.records.clear()


def answer(button: QDialogButtonBox.StandardButton, axes: str | None = None) -> list[str]:
    """Arrange that the next question is answered; return what it will have been."""
    asked: list[str] = []
    timer = QTimer(QApplication.instance())
    timer.setInterval(10)

    def act() -> None:
        question = QApplication.activeModalWidget()
        if not isinstance(question, AxesQuestion):
            return
        timer.stop()
        timer.deleteLater()
        asked.append(question.axes.text())
        if axes is not None:
            question.axes.setText(axes)
        question.buttons.button(button).click()

    timer.timeout.connect(act)
    timer.start()
    return asked


def time_lapse(path) -> np.ndarray:
    """Write an ImageJ stack that calls its slices time points, and return its pixels."""
    pixels = textured((5, 40, 50))
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "TYX"})
    return pixels


def test_only_errors_that_axes_can_mend_are_asked_about():
    assert is_about_axes(SourceError("a: a focus stack needs a Z axis; say so with axes="))
    assert not is_about_axes(SourceError("a: damaged TIFF"))


def test_the_answer_is_what_was_typed_and_zyx_is_offered(qtbot):
    asked = answer(OPEN, " tzyx ")
    assert ask_axes(SourceError("why")) == "tzyx"
    assert asked == ["ZYX"]


@pytest.mark.parametrize(("button", "axes"), [(CANCEL, None), (OPEN, "  ")])
def test_no_answer_is_none(qtbot, button, axes):
    answer(button, axes)
    assert ask_axes(SourceError("why")) is None


def test_slices_that_are_called_time_points_open_with_the_answer(qtbot, tmp_path):
    pixels = time_lapse(tmp_path / "lapse.tif")
    viewer = ViewerModel()
    answer(OPEN)
    open_in_background(viewer, [str(tmp_path / "lapse.tif")])
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=10_000)
    np.testing.assert_array_equal(np.asarray(viewer.layers[0].data), pixels)
    assert viewer.layers[0].axis_labels == ("z", "y", "x")
    assert viewer.layers[0].metadata[SOURCE_KEY].read_options == {"axes": "ZYX"}


def test_without_an_answer_the_reason_is_shown(qtbot, tmp_path):
    time_lapse(tmp_path / "lapse.tif")
    viewer = ViewerModel()
    answer(CANCEL)
    open_in_background(viewer, [str(tmp_path / "lapse.tif")])
    qtbot.waitUntil(
        lambda: any("needs a Z axis" in one.message for one in notification_manager.records),
        timeout=10_000,
    )
    assert len(viewer.layers) == 0


def test_a_wrong_answer_is_not_asked_about_again(qtbot, tmp_path):
    time_lapse(tmp_path / "lapse.tif")
    viewer = ViewerModel()
    answer(OPEN, "TYX")
    open_in_background(viewer, [str(tmp_path / "lapse.tif")])
    qtbot.waitUntil(
        lambda: any("needs a Z axis" in one.message for one in notification_manager.records),
        timeout=10_000,
    )
    assert QApplication.activeModalWidget() is None


def test_a_plain_zarr_array_dropped_on_a_window_is_asked_about(make_napari_viewer, qtbot, tmp_path):
    pixels = textured((4, 40, 50))
    zarr.save(str(tmp_path / "plain.zarr"), pixels)
    viewer = make_napari_viewer()
    answer(OPEN)
    QTimer.singleShot(0, lambda: viewer.open(tmp_path / "plain.zarr", plugin=PLUGIN))
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=10_000)
    np.testing.assert_array_equal(np.asarray(viewer.layers[0].data), pixels)


def test_a_script_is_told_and_not_asked(make_napari_viewer, tmp_path):
    zarr.save(str(tmp_path / "plain.zarr"), textured((4, 40, 50)))
    viewer = make_napari_viewer()
    with pytest.raises(Exception, match="name them with axes="):
        viewer.open(tmp_path / "plain.zarr", plugin=PLUGIN)
