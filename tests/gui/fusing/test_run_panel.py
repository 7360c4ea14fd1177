"""Buttons that can be pressed when they make sense, and words about how far a run is."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QProgressBar

from napari_gmff._napari.common.generator_run import RunState
from napari_gmff._napari.common.start_panel import state_in_words
from napari_gmff._napari.fusing.run_panel import FUSING, RunPanel


@pytest.fixture
def panel(qtbot):
    panel = RunPanel(set())
    qtbot.addWidget(panel)
    panel.show()
    return panel


def enabled(panel) -> dict[str, bool]:
    names = ("preview", "fuse", "cancel", "clear")
    return {name: getattr(panel, name).isEnabled() for name in names}


def test_only_what_makes_sense_can_be_pressed(panel):
    assert not any(enabled(panel).values())
    panel.set_ready(True)
    assert enabled(panel) == {"preview": True, "fuse": True, "cancel": False, "clear": False}
    panel.set_running(True)
    assert enabled(panel) == {"preview": False, "fuse": False, "cancel": True, "clear": False}
    panel.set_ready(True)
    assert not panel.fuse.isEnabled()
    panel.set_running(False)
    panel.set_preview_shown(True)
    assert enabled(panel) == {"preview": True, "fuse": True, "cancel": False, "clear": True}


def test_the_bar_is_there_while_something_runs_and_follows_it(panel):
    bar = panel.findChild(QProgressBar)
    assert not bar.isVisible()
    panel.set_running(True)
    assert bar.isVisible()
    assert bar.maximum() == 0, "busy, no one knows how far"
    panel.show_state(RunState("fuse", 1, 4))
    assert bar.value() / bar.maximum() == 0.25
    panel.set_running(False)
    assert not bar.isVisible()


def test_each_button_says_that_it_was_pressed(panel, qtbot):
    panel.set_ready(True)
    panel.set_preview_shown(True)
    for button, signal in (
        (panel.preview, panel.preview_clicked),
        (panel.fuse, panel.start_clicked),
        (panel.clear, panel.clear_clicked),
    ):
        with qtbot.waitSignal(signal, timeout=1000):
            button.click()


def test_a_preview_that_takes_long_says_so_before_it_is_started(panel):
    panel.set_preview_estimate(1.5)
    assert panel.preview.text().replace("&", "") == "Preview"
    panel.set_preview_estimate(12.0)
    assert panel.preview.text().replace("&", "") == "Preview (about 12 s)"
    panel.set_preview_estimate(None)
    assert panel.preview.text().replace("&", "") == "Preview"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState("prepare", 0, 0), "Getting ready …"),
        (RunState("measure", 2, 8), "Measuring: 2 of 8 steps"),
        (
            RunState("fuse", 40, 96, 12.0, 4.7),
            "Fusing: 40 of 96 steps, 12 per second, about 5 s left",
        ),
    ],
)
def test_the_state_of_a_run_is_said_in_words(state, words):
    assert state_in_words(state, FUSING.stages) == words
