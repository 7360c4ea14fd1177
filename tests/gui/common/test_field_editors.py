"""Editors made from the limits of a field; what goes in comes out."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Shapes
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox, QSpinBox, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import (
    CheckEditor,
    ChoiceEditor,
    NumberEditor,
    SliceRangeEditor,
    TextEditor,
    editor_for,
    text_of,
)
from napari_gmff.params import FuseParams, validated

SCHEMAS = FuseParams.model_json_schema()["properties"]

EDITED = {
    "input_range": (TextEditor, (10.0, 200.0)),
    "input_sigma_px": (TextEditor, 1.5),
    "slice_order": (ChoiceEditor, "unordered"),
    "time": (TextEditor, (2, 5)),
    "block_px": (NumberEditor, 512),
    "halo_px": (NumberEditor, 32),
    "threads": (NumberEditor, 3),
    "memory_limit_mb": (NumberEditor, 4096),
    "depth_min_confidence": (NumberEditor, 0.25),
    "projections": (CheckEditor, True),
}


def made(qtbot: QtBot, name: str):
    editor = editor_for(FuseParams.model_fields[name].default, SCHEMAS[name])
    qtbot.addWidget(editor)
    return editor


@pytest.mark.parametrize("name", EDITED)
def test_a_field_gets_the_editor_that_fits_and_gives_back_what_was_put_in(qtbot, name):
    kind, value = EDITED[name]
    editor = made(qtbot, name)
    assert type(editor) is kind
    default = FuseParams.model_fields[name].default
    editor.set_value(default)
    assert editor.value() == default
    editor.set_value(value)
    assert getattr(validated(FuseParams, {name: editor.value()}), name) == value
    editor.set_value(default)
    assert editor.value() == default


def test_numbers_keep_to_the_limits_of_the_model(qtbot):
    box = made(qtbot, "block_px").findChild(QSpinBox)
    assert (box.minimum(), box.maximum(), box.singleStep()) == (128, 8192, 128)


def test_every_change_is_told_once(qtbot):
    for name in EDITED:
        editor, told = made(qtbot, name), []
        editor.changed.connect(lambda told=told: told.append(1))
        editor.set_value(EDITED[name][1])
        assert told == [1], name


def test_what_is_typed_is_read_as_on_the_command_line(qtbot):
    editor = made(qtbot, "time")
    editor.focusProxy().setText(" 2:5 ")
    assert validated(FuseParams, {"time": editor.value()}).time == (2, 5)
    editor.focusProxy().setText("")
    assert editor.value() is None


def test_text_of_values_is_what_the_command_line_takes():
    assert text_of((1, 2)) == "1:2"
    assert text_of(((0, 4), (8, 16))) == "0:4,8:16"
    assert text_of("auto") == "auto"
    assert text_of(None) == "not set"


def test_a_choice_stays_when_other_values_are_offered_around_it(qtbot):
    editor, told = ChoiceEditor([("a", 1), ("b", 2)]), []
    qtbot.addWidget(editor)
    editor.set_value(2)
    editor.changed.connect(lambda: told.append(editor.value()))
    editor.set_choices([("c", 3), ("b again", 2)])
    assert editor.value() == 2
    assert told == []
    editor.set_choices([("c", 3)])
    assert editor.value() == 3
    assert told == [3]


def test_a_value_that_is_not_offered_can_be_chosen_by_a_file(qtbot):
    editor = ChoiceEditor([("automatic", "auto")])
    qtbot.addWidget(editor)
    editor.set_value("cuda:7")
    assert editor.value() == "cuda:7"
    assert editor.choices()[-1] == ("cuda:7", "cuda:7")


def test_number_1_is_not_the_name_1_and_no_layer_is_another(qtbot):
    layers = [Shapes(np.zeros((0, 2))), Shapes(np.zeros((0, 2)))]
    editor = ChoiceEditor([("one", 1), ("name", "1"), *(("layer", layer) for layer in layers)])
    qtbot.addWidget(editor)
    for value in ("1", 1, layers[1], layers[0]):
        editor.set_value(value)
        assert editor.value() is value
    assert len(editor.choices()) == 4


def test_all_slices_are_no_range_and_part_of_them_is_half_open(qtbot):
    editor = SliceRangeEditor()
    qtbot.addWidget(editor)
    editor.set_n_slices(10)
    assert editor.value() is None
    editor.set_value((2, 5))
    first, last = editor.findChildren(QSpinBox)
    assert (first.value(), last.value()) == (2, 4)  # as on napari's slider
    assert editor.value() == (2, 5)
    editor.set_n_slices(10)
    assert editor.value() == (2, 5), "the same stack, understood anew"
    editor.set_n_slices(7)
    assert editor.value() is None


def test_the_wheel_scrolls_the_form_and_changes_no_value(qtbot):
    box = QWidget()
    layout = QVBoxLayout(box)
    choice, number = ChoiceEditor([("a", 1), ("b", 2)]), made(qtbot, "block_px")
    layout.addWidget(choice)
    layout.addWidget(number)
    qtbot.addWidget(box)
    box.show()
    number.set_value(1024)
    for widget in (choice.findChild(QComboBox), number.findChild(QSpinBox)):
        widget.clearFocus()
        spot = QPointF(5, 5)
        event = QWheelEvent(
            spot, widget.mapToGlobal(spot), QPoint(), QPoint(0, -120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)
    assert choice.value() == 1
    assert number.value() == 1024
