"""Row and column are read, typed, and limited by the image."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSpinBox

from napari_gmff._napari.inspecting.pixel_place import PixelPlace


@pytest.fixture
def place(qtbot):
    place = PixelPlace(set())
    qtbot.addWidget(place)
    place.set_shape((100, 200))
    return place


def test_a_number_counts_when_it_is_complete(place, qtbot):
    row, _ = place.findChildren(QSpinBox)
    told = []
    place.entered.connect(lambda y, x: told.append((y, x)))
    row.selectAll()
    qtbot.keyClicks(row, "42")
    assert told == []
    qtbot.keyClick(row, Qt.Key.Key_Return)
    assert told == [(42, 0)]


def test_what_is_shown_is_not_taken_for_typed(place, qtbot):
    with qtbot.assertNotEmitted(place.entered):
        place.show_place(99, 199)
        place.set_shape((50, 50))
    row, column = place.findChildren(QSpinBox)
    assert (row.value(), column.value()) == (49, 49)
