"""Weights are picked by name or file, and got where they are not on this computer."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_gmff import FuseParams
from napari_gmff._napari.fusing import weights_editor as module
from napari_gmff._napari.fusing.weights_editor import WeightsEditor, WeightsList, known_weights
from napari_gmff.params import validated
from napari_gmff.weights.card import CHECKPOINT_FILE, described
from napari_gmff.weights.catalog import AUTHORS_V4
from napari_gmff.weights.obtain import import_model
from napari_gmff.weights.store import ModelStore
from tests.gui.fusion_dock import WAIT_MS, wait_for_threads
from tests.stacks import random_weights

LISTED = WeightsList(
    here=[("mine", "mine")],
    elsewhere=[("authors-v4 (to get: 4 MB)", "authors-v4")],
    shipped="microscopy-v4",
)


@pytest.fixture
def listed(monkeypatch):
    """Models of a machine, as `known_weights` finds them."""
    monkeypatch.setattr(module, "known_weights", lambda: LISTED)


@pytest.fixture
def editor(qtbot, listed):
    editor = WeightsEditor()
    qtbot.addWidget(editor)
    editor.show()
    qtbot.waitUntil(lambda: len(editor.choices()) > 2, timeout=WAIT_MS)
    yield editor
    wait_for_threads()


def words(editor) -> list[str]:
    return [text for text, _ in editor.choices()]


def choose(editor, text: str) -> None:
    editor.focusProxy().setCurrentIndex(words(editor).index(text))


def test_the_package_s_own_come_first_and_mean_the_default(editor):
    assert words(editor) == ["microscopy-v4", "mine", "authors-v4 (to get: 4 MB)", "file…"]
    assert editor.value() is None
    choose(editor, "mine")
    assert validated(FuseParams, {"weights": editor.value()}).weights == "mine"


def test_stored_models_and_those_to_get_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path / "models"))
    import_model(random_weights(tmp_path), ModelStore(), name="mine")
    found = known_weights()
    assert found.here == [("mine", "mine")]
    assert found.elsewhere == [("authors-v4 (to get: 4 MB)", AUTHORS_V4.name)]


def test_models_that_restore_are_not_offered_for_fusing(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path / "models"))
    file = random_weights(tmp_path)
    ModelStore().add_file(
        file,
        CHECKPOINT_FILE,
        lambda _: described(name="diffbir-v2", title="DiffBIR v2", architecture="diffbir-v2"),
    )
    assert known_weights().here == []


def test_weights_that_are_not_here_can_be_got(editor, qtbot, monkeypatch):
    button = editor.findChild(QPushButton)
    assert not button.isVisible()
    choose(editor, "authors-v4 (to get: 4 MB)")
    assert editor.missing == "authors-v4"
    assert button.isVisible()
    got = []
    monkeypatch.setattr(module, "_downloaded", lambda name: got.append(name) or name)
    here = WeightsList([("mine", "mine"), ("authors-v4", "authors-v4")], [], "microscopy-v4")
    monkeypatch.setattr(module, "known_weights", lambda: here)
    button.click()
    qtbot.waitUntil(lambda: editor.missing == "", timeout=WAIT_MS)
    assert got == ["authors-v4"]
    assert editor.value() == "authors-v4"
    assert not button.isVisible()


def test_a_download_that_fails_says_why_and_can_be_tried_again(editor, qtbot, monkeypatch):
    def fail(name):
        raise OSError("no network")

    shown = []
    monkeypatch.setattr(module, "show_error", shown.append)
    monkeypatch.setattr(module, "_downloaded", fail)
    choose(editor, "authors-v4 (to get: 4 MB)")
    editor.findChild(QPushButton).click()
    qtbot.waitUntil(lambda: bool(shown), timeout=WAIT_MS)
    assert shown == ["no network"]
    assert editor.findChild(QPushButton).isEnabled()


def test_a_file_is_picked_in_a_dialog_and_stays_in_the_list(editor, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/data/own.pth", ""))
    choose(editor, "file…")
    assert editor.value() == "/data/own.pth"
    choose(editor, "mine")
    choose(editor, "/data/own.pth")
    assert editor.value() == "/data/own.pth"


def test_a_dialog_that_is_closed_changes_nothing(editor, monkeypatch):
    choose(editor, "mine")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    choose(editor, "file…")
    assert editor.value() == "mine"


def test_a_name_from_a_file_of_parameters_is_kept_while_models_are_listed(qtbot, listed):
    editor = WeightsEditor()
    qtbot.addWidget(editor)
    editor.set_value("colleague")
    qtbot.waitUntil(lambda: "mine" in words(editor), timeout=WAIT_MS)
    assert editor.value() == "colleague"
    wait_for_threads()
