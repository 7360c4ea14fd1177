"""Slider and number show the same value, which is that of the parameter model."""

from __future__ import annotations

import pytest

from napari_gmff._napari.restoring.threshold_editor import ThresholdEditor


@pytest.fixture
def editor(qtbot):
    editor = ThresholdEditor()
    qtbot.addWidget(editor)
    return editor


def test_the_slider_moves_the_number_and_tells_once(editor):
    told = []
    editor.changed.connect(lambda: told.append(editor.value()))
    editor.slider.setValue(37)
    assert editor.number.value() == pytest.approx(0.37)
    assert told == [0.37]


def test_the_number_moves_the_slider(editor):
    editor.set_value(0.624)
    assert editor.value() == 0.62
    assert editor.slider.value() == 62
    for value in (0, 1.0):
        editor.set_value(value)
        assert editor.value() == value
