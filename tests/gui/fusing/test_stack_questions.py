"""What a layer does not say is asked for, and only that."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QVBoxLayout, QWidget

from napari_gmff._napari.fusing.stack_questions import Answers, StackQuestions
from napari_gmff._napari.layers.layer_stacks import understood

SHAPE = (6, 40, 50)


@pytest.fixture
def questions(qtbot):
    window = QWidget()
    questions = StackQuestions(set())
    QVBoxLayout(window).addWidget(questions)
    qtbot.addWidget(window)
    window.show()
    yield questions


def view_of(shape=SHAPE, **options):
    return understood(ViewerModel().add_image(np.zeros(shape, np.uint8), **options))


def fields(questions) -> tuple[QComboBox, QDoubleSpinBox]:
    return questions.findChild(QComboBox), questions.findChild(QDoubleSpinBox)


def test_a_layer_that_says_everything_is_asked_nothing(questions):
    questions.ask(view_of(axis_labels=tuple("zyx"), units=("um",) * 3), Answers())
    assert not questions.isVisible()


def test_an_unknown_step_is_asked_for_in_micrometres(questions):
    axis, step = fields(questions)
    answers, told = Answers(), []
    questions.answered.connect(lambda: told.append(answers.z_step_um))
    questions.ask(view_of(axis_labels=tuple("zyx")), answers)
    assert step.isVisible()
    assert not axis.isVisible()
    assert step.text() == "not set"
    step.setValue(0.3)
    assert told == [0.3]
    assert step.text() == "0.3000 µm"
    step.setValue(0)
    assert told == [0.3, None]


def test_an_axis_without_a_name_is_asked_for_with_the_likely_answer_chosen(questions):
    axis, _ = fields(questions)
    answers = Answers()
    questions.ask(view_of((3, *SHAPE)), answers)
    assert [axis.itemText(number) for number in range(axis.count())] == [
        "axis 0, 3 long",
        "axis 1, 6 long",
        "axis 2, 40 long",
        "axis 3, 50 long",
        "none: it is time",
    ]
    assert axis.currentIndex() == 1
    axis.setCurrentIndex(0)
    assert answers.z_axis == 0


def test_time_is_an_answer_too_and_asks_for_no_step(questions):
    axis, step = fields(questions)
    answers, view = Answers(), view_of()
    questions.ask(view, answers)
    axis.setCurrentIndex(axis.count() - 1)
    assert answers.is_time
    questions.ask(view, answers)
    assert axis.currentText() == "none: it is time"
    assert not step.isVisible()


def test_answers_are_shown_again_when_the_layer_is_picked_again(questions):
    axis, step = fields(questions)
    questions.ask(view_of((3, *SHAPE)), Answers(z_axis=0, z_step_um=2.0))
    assert axis.isVisible()
    assert step.value() == 2.0
    told = []
    questions.answered.connect(lambda: told.append(1))
    questions.ask(view_of((3, *SHAPE)), Answers())
    assert step.text() == "not set"
    assert told == [], "showing answers is not answering"


def test_a_step_from_a_file_is_entered_only_where_it_is_asked(questions):
    answers = Answers()
    questions.ask(view_of(axis_labels=tuple("zyx"), units=("um",) * 3), answers)
    questions.enter_step(4.0)
    assert answers.z_step_um is None
    questions.ask(view_of(axis_labels=tuple("zyx")), answers)
    questions.enter_step(4.0)
    assert answers.z_step_um == 4.0


def test_nothing_is_asked_of_a_layer_that_is_no_stack(questions):
    questions.ask(view_of((40, 50)), Answers())
    assert not questions.isVisible()
    questions.ask(None, Answers())
    assert not questions.isVisible()
