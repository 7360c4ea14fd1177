"""Engines are picked by the names that all of the program knows, and described in words."""

from __future__ import annotations

import pytest

from napari_gmff import FuseParams
from napari_gmff._napari.fusing.engine_editor import EngineEditor
from napari_gmff.engines.registry import engine_names, engine_titles
from napari_gmff.params import BLEND_ENGINES, CLASSICAL_ENGINE, DEFAULT_ENGINE, validated
from tests.gui.fusion_dock import WAIT_MS, wait_for_threads


@pytest.fixture
def editor(qtbot):
    editor = EngineEditor()
    qtbot.addWidget(editor)
    editor.show()
    qtbot.waitUntil(lambda: editor.words != "", timeout=WAIT_MS)
    yield editor
    wait_for_threads()


def test_the_engines_are_offered_by_name(editor):
    assert [words for words, _ in editor.choices()] == engine_names()
    editor.set_value(CLASSICAL_ENGINE)
    assert validated(FuseParams, {"engine": editor.value()}).engine == CLASSICAL_ENGINE


@pytest.mark.parametrize("name", [CLASSICAL_ENGINE, DEFAULT_ENGINE, *BLEND_ENGINES])
def test_the_chosen_engine_is_described_in_full_below(editor, name):
    editor.set_value(name)
    assert editor.words == engine_titles()[name] != ""


@pytest.mark.parametrize("name", BLEND_ENGINES)
def test_the_words_on_a_blend_say_that_it_computes_pixels(editor, name):
    editor.set_value(name)
    assert "computed, not copied" in editor.words


def test_names_and_descriptions_fit_a_dock_of_300_pixels(editor, qtbot):
    box = editor.focusProxy()
    editor.resize(200, editor.sizeHint().height())  # what the label beside it leaves
    qtbot.wait(50)
    for name in engine_names():
        editor.set_value(name)
        assert box.fontMetrics().horizontalAdvance(box.currentText()) < box.width() - 30
    assert editor.minimumSizeHint().width() <= 200
