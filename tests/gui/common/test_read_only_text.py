"""Long words wrap, short texts take little room, long ones scroll."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmff._napari.common.read_only_text import ReadOnlyText

MOST_PX = 120


@pytest.fixture
def shown(qtbot):
    box = QWidget()
    qtbot.addWidget(box)
    layout = QVBoxLayout(box)
    layout.addStretch(1)
    box.resize(300, 400)
    box.show()

    def show(text: str) -> ReadOnlyText:
        one = ReadOnlyText(text, MOST_PX, "Text of a test")
        layout.addWidget(one)
        qtbot.waitUntil(one.isVisible)
        return one

    yield show
    box.close()  # kept until here, or Qt would delete it


def test_a_short_text_takes_no_more_room_than_it_needs(shown, qtbot):
    one = shown("Licence: MIT")
    two = shown("Licence: MIT\nFree")
    qtbot.waitUntil(lambda: one.height() < two.height() < MOST_PX)
    assert one.isReadOnly()


def test_a_long_word_wraps_instead_of_being_cut(shown):
    text = shown("sha256: " + "0123456789abcdef" * 4)
    assert text.horizontalScrollBar().maximum() == 0
    assert text.document().documentLayout().documentSize().height() >= 2


def test_a_long_text_scrolls(shown, qtbot):
    text = shown("word " * 400)
    qtbot.wait(50)
    assert text.height() == MOST_PX
    assert text.verticalScrollBar().maximum() > 0
