"""Every model is agreed to by itself, after its terms were shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qtpy.QtWidgets import QLabel, QPlainTextEdit

from napari_gmff._napari.restoring.consent_page import ConsentPage
from tests.gui.restoring.fake_parts import BASE, CONTROL, DIFFBIR


@pytest.fixture
def page(qtbot):
    page = ConsentPage(set())
    qtbot.addWidget(page)
    page.show()
    return page


def shown_terms(page) -> list[str]:
    return [one.toPlainText() for one in page.findChildren(QPlainTextEdit) if one.isVisible()]


def test_it_says_what_it_is_before_anything_can_be_agreed_to(page):
    words = " ".join(label.text() for label in page.findChildren(QLabel))
    assert "not measured" in words
    assert "off until you agree" in words
    assert not page.button.isEnabled()


def test_the_terms_of_each_model_are_shown_in_full(page, qtbot):
    page.show_models([BASE, CONTROL])
    terms = [BASE.consent_text, CONTROL.consent_text]
    qtbot.waitUntil(lambda: shown_terms(page) == terms)


def test_all_boxes_must_be_checked(page, qtbot):
    page.show_models([BASE, CONTROL])
    page.boxes["sd21-base"].setChecked(True)
    assert not page.button.isEnabled()
    page.boxes["ifcontrolnet"].setChecked(True)
    assert page.button.isEnabled()
    with qtbot.waitSignal(page.agreed) as told:
        page.button.click()
    assert told.args == [["sd21-base", "ifcontrolnet"]]


def test_nothing_is_asked_twice(page):
    page.show_models([replace(BASE, has_consent=True), CONTROL])
    assert list(page.boxes) == ["ifcontrolnet"]


def test_another_model_must_be_agreed_to_anew(page, qtbot):
    page.show_models([BASE, CONTROL])
    for box in page.boxes.values():
        box.setChecked(True)
    page.show_models([BASE, DIFFBIR])
    assert not any(box.isChecked() for box in page.boxes.values())
    assert not page.button.isEnabled()
    qtbot.waitUntil(lambda: len(shown_terms(page)) == 2)
