"""The form says what the parameter model says: every field once, with its limits and its words."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QToolButton

from napari_gmff._napari.common.field_editors import ChoiceEditor, SliceRangeEditor
from napari_gmff._napari.common.parameter_form import ParameterForm
from napari_gmff._napari.fusing.fusion_widget import MAIN_FIELDS
from napari_gmff.errors import ParameterError
from napari_gmff.params import CLASSICAL_ENGINE, NETWORK_ENGINE, FuseParams


@pytest.fixture
def form(qtbot):
    engines = ChoiceEditor([(name, name) for name in (NETWORK_ENGINE, CLASSICAL_ENGINE)])
    slices = SliceRangeEditor()
    slices.set_n_slices(20)
    form = ParameterForm(FuseParams, MAIN_FIELDS, {"engine": engines, "z_range": slices}, set())
    qtbot.addWidget(form)
    form.show()
    return form


def titles_in(form) -> list[str]:
    texts = [label.text().replace("&", "") for label in form.findChildren(QLabel)]
    known = {field.title for field in FuseParams.model_fields.values()}
    return [text for text in texts if text in known]


def test_every_field_of_the_model_is_listed_once_under_its_title(form):
    expected = sorted(field.title for field in FuseParams.model_fields.values())
    assert sorted(titles_in(form)) == expected


def test_labels_have_the_words_of_the_model_and_lead_to_their_field(form):
    labels = {label.text().replace("&", ""): label for label in form.findChildren(QLabel)}
    mnemonics = set()
    for name, field in FuseParams.model_fields.items():
        label = labels[field.title]
        assert field.description in label.toolTip()
        assert field.description in form.editor(name).toolTip()
        assert label.buddy() is form.editor(name)
        mnemonics.add(label.text().partition("&")[2][:1].lower())
    mnemonics.discard("")
    assert len(mnemonics) > 10


def test_an_untouched_form_gives_the_defaults(form):
    assert form.values() == FuseParams()
    assert form.values().model_fields_set == set()


def test_values_go_in_and_come_out_again(form):
    params = FuseParams(
        engine=CLASSICAL_ENGINE,
        channel="actin",
        z_range=(3, 9),
        region=((0, 10), (20, 50)),
        input_range=(5.0, 90.0),
        input_sigma_px=1.0,
        slice_order="ordered",
        time=(0, 2),
        block_px=512,
        halo_px=128,
        device="cpu",
        threads=2,
        memory_limit_mb=2048,
        depth_min_confidence=0.1,
        projections=True,
    )
    form.set_values(params.model_dump())
    assert form.values() == params
    form.set_values({})
    assert form.values() == FuseParams()


def test_values_that_break_a_rule_leave_the_form_as_it_was(form):
    form.set_values({"block_px": 512})
    with pytest.raises(ParameterError, match="halo_px"):
        form.set_values({"block_px": 128, "halo_px": 64})
    assert form.values() == FuseParams(block_px=512)


def test_fields_of_reading_in_a_file_are_not_in_the_way(form):
    form.set_values({"series": 3, "projections": True})
    assert form.values() == FuseParams(projections=True)


def test_a_wrong_value_is_explained_at_its_field_and_advanced_opens(form, qtbot):
    line = form.editor("input_range").focusProxy()
    assert not line.isVisible()
    line.setText("9:1")
    line.editingFinished.emit()
    assert "below" in form.error_of("input_range")
    assert line.isVisible()
    with pytest.raises(ParameterError, match="input_range"):
        form.values()
    line.setText("1:9")
    line.editingFinished.emit()
    assert form.error_of("input_range") == ""


def test_a_rule_of_two_fields_is_explained_at_the_one_it_names(form):
    form.editor("block_px").set_value(128)
    assert "128" in form.error_of("halo_px")
    form.editor("halo_px").set_value(32)
    assert form.error_of("halo_px") == ""


def test_an_error_of_a_run_is_shown_at_the_field_it_begins_with(form):
    assert form.show_error("channel: the stack has 0 (DAPI), got 'actin'")
    assert form.error_of("channel") == "the stack has 0 (DAPI), got 'actin'"
    assert not form.show_error("stack.tif: cannot be read")


def test_a_field_that_does_not_apply_is_left_out(form):
    form.editor("engine").set_value(CLASSICAL_ENGINE)
    form.editor("weights").set_value("mine")
    assert "uses none" in form.error_of("weights")
    form.editor("weights").setEnabled(False)
    assert form.values() == FuseParams(engine=CLASSICAL_ENGINE)


def test_the_tab_key_reaches_every_field_that_is_seen_and_no_other(form, qtbot):
    form.editor("engine").focusProxy().setFocus()
    visited = []
    for _ in range(12):
        widget = form.focusWidget()
        owner = next(
            (name for name in FuseParams.model_fields if form.editor(name).isAncestorOf(widget)),
            type(widget).__name__,
        )
        if owner not in visited:
            visited.append(owner)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert visited == [*MAIN_FIELDS, QToolButton.__name__]
