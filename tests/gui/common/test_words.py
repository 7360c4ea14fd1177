"""Labels that wrap and never open as windows of their own; letters that reach the fields."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmff._napari.common.words import Words, share_words, with_mnemonic


def test_long_words_wrap_instead_of_widening_the_dock(qtbot):
    box = QWidget()
    qtbot.addWidget(box)
    layout = QVBoxLayout(box)
    words = Words("plain", "a rather long sentence that goes on and on " * 5)
    layout.addWidget(words)
    box.resize(200, 400)
    box.show()
    assert box.minimumSizeHint().width() < 200
    assert words.heightForWidth(180) > words.heightForWidth(600)


def test_a_problem_is_marked_by_a_sign_and_not_only_a_colour(qtbot):
    words = Words("problem", "no Z axis")
    qtbot.addWidget(words)
    assert words.text() == "⚠ no Z axis"
    assert words.words == "no Z axis"


def test_words_without_a_window_stay_hidden_until_they_have_one(qtbot):
    words = Words()
    qtbot.addWidget(words)
    words.say("hello")
    assert not words.isVisible()


def test_words_that_have_nothing_to_say_take_no_room(qtbot):
    box = QWidget()
    qtbot.addWidget(box)
    words = Words()
    QVBoxLayout(box).addWidget(words)
    box.show()
    words.say("something")
    assert words.isVisible()
    words.say("")
    assert not words.isVisible()


def test_markup_in_a_file_name_is_shown_as_it_is(qtbot):
    words = Words("plain", "<b>stack</b>.tif & more")
    qtbot.addWidget(words)
    assert words.text() == "<b>stack</b>.tif & more"


def test_mnemonics_differ_and_leave_napari_its_own():
    used: set[str] = set()
    titles = [with_mnemonic(title, used) for title in ("Fuse", "Preview", "View", "Fff")]
    assert titles == ["F&use", "P&review", "V&iew", "Fff"]
    assert used == {"u", "r", "i"}


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 %"),
        (12_345, "1.23 %"),
        (1_000_000, "100 %"),
        (1_000, "0.1 %"),
        (999, "999 pixels (less than 0.1 %)"),
        (1, "1 pixel (less than 0.1 %)"),
    ],
)
def test_few_pixels_are_counted_rather_than_rounded_away(count, words):
    assert share_words(count, 1_000_000) == words
