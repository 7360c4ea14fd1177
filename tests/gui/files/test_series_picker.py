"""The dialog that asks which images of a file to open."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox

from napari_gmff._napari.files.series_picker import SeriesPicker, pick_series
from napari_gmff._napari.layers.stack_layers import StackSource
from tests.gui.files.test_reader import PLUGIN, write_two_series
from tests.stacks import stack_of, textured


@pytest.fixture
def sources() -> list[StackSource]:
    stacks = [stack_of(textured((n, 40, 50)), voxel_size_um=(0.5, 0.2, 0.2)) for n in (3, 4, 5)]
    sources = [StackSource(stack) for stack in stacks]
    for name, source in zip("abc", sources, strict=True):
        source.name = name
    return sources


def answer(button: QDialogButtonBox.StandardButton, select=lambda picker: None) -> list[str]:
    """Arrange that the next picker is answered as a user would; return what it will show."""
    shown: list[str] = []
    timer = QTimer(QApplication.instance())
    timer.setInterval(10)

    def act() -> None:
        picker = QApplication.activeModalWidget()
        if not isinstance(picker, SeriesPicker):
            return
        timer.stop()
        timer.deleteLater()
        shown.extend(picker.list.item(row).text() for row in range(picker.list.count()))
        select(picker)
        picker.buttons.button(button).click()

    timer.timeout.connect(act)
    timer.start()
    return shown


OPEN = QDialogButtonBox.StandardButton.Open
CANCEL = QDialogButtonBox.StandardButton.Cancel


def test_names_and_sizes_are_listed_and_the_first_is_marked(qtbot, sources):
    shown = answer(OPEN)
    assert pick_series(sources) == [sources[0]]
    assert shown[1] == "b\n4 slices · 0.5 µm step · 16 bit · 50×40"


def test_several_can_be_picked_and_come_in_the_order_of_the_file(qtbot, sources):
    def mark(picker: SeriesPicker) -> None:
        picker.list.clearSelection()
        for row in (2, 0):
            picker.list.item(row).setSelected(True)

    answer(OPEN, mark)
    assert pick_series(sources) == [sources[0], sources[2]]


def test_cancelling_opens_nothing(qtbot, sources):
    answer(CANCEL)
    assert pick_series(sources) == []


def test_all_of_them_are_a_key_away_and_none_cannot_be_opened(qtbot, sources):
    picker = SeriesPicker(sources)
    qtbot.addWidget(picker)
    qtbot.keyClick(picker.list, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert picker.picked() == sources
    picker.list.clearSelection()
    assert not picker.open_button.isEnabled()


def test_a_double_click_opens(qtbot, sources):
    picker = SeriesPicker(sources)
    qtbot.addWidget(picker)
    picker.list.itemDoubleClicked.emit(picker.list.item(0))
    assert picker.result() == int(QDialog.DialogCode.Accepted)


def test_a_file_opened_in_a_running_window_asks_which_series(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer()
    path = write_two_series(tmp_path / "both.ome.tif")
    added: list[str] = []

    def drop() -> None:
        layers = viewer.open(path, plugin=PLUGIN)
        added.extend(layer.name for layer in layers)

    QTimer.singleShot(0, drop)
    answer(OPEN, lambda picker: picker.list.setCurrentRow(1))
    qtbot.waitUntil(lambda: bool(added), timeout=10_000)
    assert added == ["both right"]


def test_a_cancelled_choice_opens_no_layer_and_raises_nothing(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer()
    path = write_two_series(tmp_path / "both.ome.tif")
    done: list[list] = []
    QTimer.singleShot(0, lambda: done.append(viewer.open(path, plugin=PLUGIN)))
    answer(CANCEL)
    qtbot.waitUntil(lambda: bool(done), timeout=10_000)
    assert done == [[]]
    assert len(viewer.layers) == 0
