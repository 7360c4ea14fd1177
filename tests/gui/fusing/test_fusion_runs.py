"""Every way a run can end: with layers, or with nothing left behind."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace

import numpy as np
import pytest
from napari.utils.notifications import NotificationSeverity
from qtpy.QtWidgets import QApplication

from napari_gmff import iter_fuse
from napari_gmff._napari.layers.result_sets import METADATA_KEY, result_sets, set_of
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack
from tests.gui.fusion_dock import (
    NAMES,
    SMALL_WINDOWS,
    WAIT_MS,
    HeldStack,
    add_stack,
    docked,
    fuse_and_wait,
    names,
    notices,
    stopped_in_second_window,
    temporary_results,
    wait_for_end,
    wait_for_threads,
)
from tests.stacks import stack_of as array_stack
from tests.stacks import textured


@pytest.mark.parametrize("read", [1, 7], ids=["while measuring", "while fusing"])
def test_a_cancelled_run_leaves_no_layer_and_no_file_behind(viewer, qtbot, read):
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    widget = docked(viewer)
    add_stack(viewer, held.data, visible=False)
    before = temporary_results()
    held.hold_at(read)
    widget.panel.fuse.click()
    assert not widget.panel.fuse.isEnabled(), "one run at a time"
    assert not widget.panel.preview.isEnabled()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    assert result_sets(viewer).is_fusing, "others leave the processor to it"
    widget.panel.cancel.click()
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert not result_sets(viewer).is_fusing
    assert names(viewer) == ["relief"]
    assert temporary_results() == before
    assert widget.panel.fuse.isEnabled()
    assert not widget.panel.cancel.isEnabled()
    assert widget.panel.words == ""
    assert notices() == [], "who cancels knows it"


def test_layers_that_are_there_already_go_when_the_run_is_cancelled(viewer, qtbot):
    held = HeldStack(textured((4, 90, 500)), (1, 90, 500))
    widget = docked(viewer, **SMALL_WINDOWS)
    add_stack(viewer, held.data, visible=False)
    stopped_in_second_window(qtbot, widget, held, **SMALL_WINDOWS)
    assert names(viewer) == ["relief", *NAMES]
    widget.panel.cancel.click()
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == ["relief"]
    assert len(result_sets(viewer)) == 0


def test_an_error_is_told_with_its_reason_and_leaves_nothing(viewer, qtbot):
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    widget = docked(viewer)
    add_stack(viewer, held.data, visible=False)

    def fail(place):
        if len(held.reads) > 5:
            raise OSError(5, "the disk is gone")

    held.on_read = fail
    before = temporary_results()
    fuse_and_wait(qtbot, widget)
    assert names(viewer) == ["relief"]
    assert temporary_results() == before
    (message,) = notices(NotificationSeverity.ERROR)
    assert "relief" in message
    assert "the disk is gone" in message
    assert widget.panel.fuse.isEnabled()


def test_no_pixel_is_read_or_computed_in_the_window_s_thread(viewer, qtbot):
    held = HeldStack(textured((4, 200, 300)), (1, 100, 100))
    widget = docked(viewer, **SMALL_WINDOWS)
    add_stack(viewer, held.data, visible=False)
    readers = set()
    held.on_read = lambda place: readers.add(threading.current_thread())
    opened = []

    def audit(event, arguments):
        if event == "open" and threading.current_thread() is threading.main_thread():
            if "napari-gmff-" in str(arguments[0]):
                opened.append(str(arguments[0]))

    watch(audit)
    try:
        fuse_and_wait(qtbot, widget)
    finally:
        watch(None)
    assert "relief fused" in viewer.layers
    assert readers
    assert threading.main_thread() not in readers
    assert opened == []


_audit = None


def watch(audit) -> None:
    """Hear of every file that is opened; Python can only add such listeners, so there is one."""
    global _audit
    import sys

    if not hasattr(watch, "is_added"):
        watch.is_added = True
        sys.addaudithook(lambda event, arguments: _audit and _audit(event, arguments))
    _audit = audit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda viewer, layer: viewer.layers.remove(layer), "deleted"),
        (lambda viewer, layer: setattr(layer, "scale", (3.0, 1.0, 1.0)), "changed"),
        (lambda viewer, layer: setattr(layer, "data", textured((3, 90, 70))), "changed"),
    ],
    ids=["deleted", "scaled", "other pixels"],
)
def test_a_stack_that_is_edited_while_it_is_fused_stops_the_run(viewer, qtbot, edit, words):
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    widget = docked(viewer)
    layer = add_stack(viewer, held.data, visible=False)
    held.hold_at(6)
    widget.panel.fuse.click()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    edit(viewer, layer)
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert not [name for name in names(viewer) if "fused" in name]
    (message,) = notices(NotificationSeverity.WARNING)
    assert f"relief was {words} while it was being fused" in message


def test_the_file_of_a_deleted_layer_stays_open_until_the_run_has_ended(viewer, qtbot):
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    closed = []
    stack = replace(array_stack(held.data), _close=lambda: closed.append(len(held.reads)))
    widget = docked(viewer)
    for data, kwargs, _ in layers_of_stack(StackSource(stack), "relief"):
        viewer.add_image(data, **{**kwargs, "visible": False})
    del stack, data, kwargs
    held.hold_at(6)
    widget.panel.fuse.click()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    viewer.layers.clear()
    viewer.add_image(np.zeros((4, 4)))
    gc.collect()
    assert closed == []
    held.gate.set()
    wait_for_end(qtbot, widget)
    viewer.layers.selection.active = None
    viewer.layers.selection.active = viewer.layers[0]
    wait_for_threads()
    qtbot.wait(50)  # what is deleted later is deleted by now
    gc.collect()
    assert len(closed) == 1


def test_a_window_that_is_closed_mid_run_takes_the_run_with_it(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    widget = docked(viewer)
    add_stack(viewer, held.data, visible=False)
    before = temporary_results()
    held.hold_at(6)
    widget.panel.fuse.click()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    del widget
    viewer.close()
    QApplication.processEvents()
    held.gate.set()
    wait_for_threads()
    QApplication.processEvents()
    assert len(held.reads) <= 8, "no slice is read after the one that was being read"
    assert temporary_results() == before


def test_a_dock_that_is_closed_mid_run_takes_the_run_and_its_layers_with_it(viewer, qtbot):
    held = HeldStack(textured((4, 90, 500)), (1, 90, 500))
    widget = docked(viewer, **SMALL_WINDOWS)
    add_stack(viewer, held.data, visible=False)
    stopped_in_second_window(qtbot, widget, held, **SMALL_WINDOWS)
    viewer.window.remove_dock_widget(widget)
    assert names(viewer) == ["relief"]
    held.gate.set()
    wait_for_threads()
    viewer.layers.clear()  # nobody listens any more


def test_deleting_all_layers_of_a_result_stops_its_run(viewer, qtbot):
    held = HeldStack(textured((4, 90, 500)), (1, 90, 500))
    widget = docked(viewer, **SMALL_WINDOWS)
    add_stack(viewer, held.data, visible=False)
    stopped_in_second_window(qtbot, widget, held, **SMALL_WINDOWS)
    for layer in list(viewer.layers[1:]):
        viewer.layers.remove(layer)
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == ["relief"]
    assert "were deleted" in notices(NotificationSeverity.WARNING)[0]


def test_the_fused_image_becomes_active_and_the_stack_is_what_is_fused_again(viewer, qtbot):
    widget = docked(viewer)
    source = add_stack(viewer)
    for _ in range(2):
        fuse_and_wait(qtbot, widget)
        fused = viewer.layers["relief fused"]
        assert viewer.layers.selection.active is fused
        assert widget.picker.view.layers == (source,)
        assert set_of(fused).source_layers == [source]
    assert names(viewer) == ["relief", *NAMES]


def test_a_layer_selected_during_the_run_stays_selected(viewer, qtbot):
    widget = docked(viewer)
    source = add_stack(viewer)
    notes = viewer.add_points(np.zeros((1, 3)), name="notes")
    viewer.layers.selection.active = source
    widget.panel.fuse.click()
    viewer.layers.selection.active = notes
    wait_for_end(qtbot, widget)
    assert "relief fused" in viewer.layers
    assert set(viewer.layers.selection) == {notes}


def test_a_preview_shows_temporary_layers_that_the_next_one_replaces(viewer, qtbot):
    widget = docked(viewer)
    add_stack(viewer)
    for _ in range(2):
        widget.panel.preview.click()
        wait_for_end(qtbot, widget)
        assert names(viewer) == ["relief", *(f"{name} (preview)" for name in NAMES)]
    fused = viewer.layers["relief fused (preview)"]
    assert fused.metadata[METADATA_KEY]["set"] is None
    assert "preview" in " ".join(fused.metadata[METADATA_KEY]["provenance"]["warnings"])
    assert len(result_sets(viewer)) == 0
    assert widget.panel.clear.isEnabled()
    widget.panel.clear.click()
    assert names(viewer) == ["relief"]
    assert not widget.panel.clear.isEnabled()


def test_fuse_removes_the_preview(viewer, qtbot):
    widget = docked(viewer)
    add_stack(viewer)
    widget.panel.preview.click()
    wait_for_end(qtbot, widget)
    fuse_and_wait(qtbot, widget)
    assert names(viewer) == ["relief", *NAMES]


def test_a_cancelled_preview_leaves_nothing(viewer, qtbot):
    held = HeldStack(textured((4, 90, 70)), (1, 90, 70))
    widget = docked(viewer)
    add_stack(viewer, held.data, visible=False)
    held.hold_at(6)
    widget.panel.preview.click()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    widget.panel.cancel.click()
    held.gate.set()
    wait_for_end(qtbot, widget)
    assert names(viewer) == ["relief"]


def test_what_comes_up_in_a_run_is_told_once(viewer, qtbot, monkeypatch):
    from napari_gmff._napari.fusing import fusion_runs

    def with_a_note(stack, **options):
        for number, progress in enumerate(steps := iter_fuse(stack, **options)):
            yield replace(progress, notes=("fewer slices at once",)) if number == 2 else progress
            if number > 3:
                break
        result = yield from steps
        result.provenance["warnings"].append("fewer slices at once")
        return result

    monkeypatch.setattr(fusion_runs, "iter_fuse", with_a_note)
    widget = docked(viewer)
    add_stack(viewer)
    fuse_and_wait(qtbot, widget)
    assert notices(NotificationSeverity.WARNING) == ["fewer slices at once"]
