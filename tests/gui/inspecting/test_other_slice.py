"""Another slice is compared in words and pictures, and never with a pixel of long ago."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_gmff._napari.inspecting.other_slice import OtherSlice
from napari_gmff._napari.inspecting.pixel_facts import curves_of, facts_of, would_be_words
from tests.gui.sets import fused_set

PIXEL = (0, 50, 100)


@pytest.fixture
def made(qapp):
    return fused_set(ViewerModel())


@pytest.fixture
def other(qtbot):
    other = OtherSlice()
    qtbot.addWidget(other)
    return other


def test_words_come_at_once_and_pictures_when_they_were_read(made, other, qtbot):
    facts, curves = facts_of(made, PIXEL), curves_of(made.result, PIXEL)
    other.show_slice(made, facts, curves, 1)
    assert other.words == would_be_words(made.result, facts, curves, 1)
    qtbot.waitUntil(lambda: not other.patches.isHidden())
    assert other.patches.captions == ("as fused", "slice 1")


def test_the_pixels_own_slice_needs_no_pictures(made, other, qtbot):
    facts, curves = facts_of(made, PIXEL), curves_of(made.result, PIXEL)
    other.show_slice(made, facts, curves, 1)
    other.show_slice(made, facts, curves, facts.number)
    qtbot.wait(300)
    assert other.words == ""
    assert other.patches.isHidden()


def test_pictures_that_come_after_all_was_cleared_are_not_shown(made, other, qtbot):
    facts, curves = facts_of(made, PIXEL), curves_of(made.result, PIXEL)
    other.show_slice(made, facts, curves, 1)
    other.clear("Computing…")
    qtbot.wait(300)
    assert other.words == "Computing…"
    assert other.patches.isHidden()
