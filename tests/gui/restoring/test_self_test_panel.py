"""The test can be started where there is a stack, and its verdict is shown and copied."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QApplication, QLabel

from napari_gmff._napari.restoring.self_test_panel import NEEDS_STACK, SelfTestPanel


@pytest.fixture
def panel(qtbot):
    panel = SelfTestPanel(set())
    qtbot.addWidget(panel)
    return panel


def test_without_a_stack_it_says_how_to_get_one(panel):
    panel.set_ready(True, has_stack=False)
    assert not panel.button.isEnabled()
    assert NEEDS_STACK in [label.text() for label in panel.findChildren(QLabel)]
    panel.set_ready(True, has_stack=True)
    assert panel.button.isEnabled()


def test_the_verdict_can_be_copied_once_there_is_one(panel):
    assert not panel.copy.isEnabled()
    panel.show_verdict("Restoring made it worse.")
    panel.copy.click()
    assert QApplication.clipboard().text() == panel.verdict == "Restoring made it worse."
    panel.show_verdict("")
    assert not panel.copy.isEnabled()
