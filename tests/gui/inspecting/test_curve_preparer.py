"""The part of a result that is looked at is got ready while nothing else is computed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.inspecting.curve_preparer import CurvePreparer
from napari_gmff._napari.layers.result_sets import result_sets
from napari_gmff.errors import SourceError
from napari_gmff.window_reader import WindowReader
from tests.gui.sets import fused_set
from tests.stacks import SMALL_BLOCKS, random_weights, stack_of, textured

LEFT, RIGHT = (0, 20, 20), (0, 20, 110)
"""Pixels in two windows."""


class Gate:
    """Lets an engine see slices one by one, and counts them."""

    def __init__(self, monkeypatch):
        self.n_read, self._free = 0, threading.Event()
        self.open()
        read = WindowReader.engine_slice

        def counted(reader, position):
            assert self._free.wait(20)
            self.n_read += 1
            return read(reader, position)

        monkeypatch.setattr(WindowReader, "engine_slice", counted)

    def open(self):
        self._free.set()

    def close(self):
        self._free.clear()


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def made(viewer, tmp_path):
    """Return a fusion by a network, in two windows."""
    return fused_set(
        viewer,
        stack_of(textured((3, 90, 150))),
        engine="stackmff-v4",
        weights=str(random_weights(tmp_path)),
        device="cpu",
        **SMALL_BLOCKS,
    )


@pytest.fixture
def gate(made, monkeypatch):
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


@pytest.fixture
def busy():
    """Return what says whether a curve is waited for."""
    return threading.Event()


@pytest.fixture
def preparer(viewer, made, busy):
    preparer = CurvePreparer(viewer, busy.is_set)
    preparer.use(made)
    yield preparer
    preparer.stop()


def is_ready(made, pixel):
    time, y, x = pixel
    return made.result.curves.is_ready(y, x, time)


def test_the_part_under_the_pointer_becomes_ready(made, preparer, gate, qtbot):
    preparer.point_at(RIGHT)
    preparer.start()
    qtbot.waitUntil(lambda: is_ready(made, RIGHT))
    assert not is_ready(made, LEFT)
    n_read = gate.n_read
    _, y, x = RIGHT
    assert int(np.argmax(made.result.focus_curve(y, x))) == made.result.focus_index.compute()[y, x]
    assert gate.n_read == n_read


def test_without_a_pointer_it_is_the_middle_of_the_canvas(viewer, made, preparer, qtbot):
    layer = made.any_layer()
    camera_of(viewer).center = layer.data_to_world(made.data_point(layer, *RIGHT))[-2:]
    preparer.start()
    qtbot.waitUntil(lambda: is_ready(made, RIGHT))
    assert not is_ready(made, LEFT)


def test_work_begins_where_the_pointer_rests(made, preparer, gate):
    preparer.point_at(LEFT)
    preparer._look()
    preparer.point_at(RIGHT)
    preparer._look()
    assert not preparer.is_working
    gate.close()
    preparer._look()
    assert preparer.is_working


def test_a_pointer_that_moves_on_takes_the_work_along(made, preparer, gate, qtbot):
    gate.close()
    preparer.point_at(LEFT)
    preparer.start()
    qtbot.waitUntil(lambda: preparer.is_working)
    preparer.point_at(RIGHT)
    qtbot.wait(800)
    gate.open()
    qtbot.waitUntil(lambda: is_ready(made, RIGHT))
    assert not is_ready(made, LEFT)
    assert gate.n_read == 4, "one slice was under way, and the other part has three"


@pytest.mark.parametrize("what", ["fusion", "curve"])
def test_it_waits_while_something_else_is_computed(viewer, made, preparer, busy, qtbot, what):
    def set_busy(is_busy):
        if what == "fusion":
            result_sets(viewer).is_fusing = is_busy
        elif is_busy:
            busy.set()
        else:
            busy.clear()

    set_busy(True)
    preparer.point_at(LEFT)
    preparer.start()
    qtbot.wait(1000)
    assert not preparer.is_working
    assert not is_ready(made, LEFT)
    set_busy(False)
    qtbot.waitUntil(lambda: is_ready(made, LEFT))


def halted_by_stop(viewer, preparer):
    preparer.stop()


def halted_by_another_result(viewer, preparer):
    preparer.use(None)


def halted_by_a_fusion(viewer, preparer):
    result_sets(viewer).is_fusing = True


@pytest.mark.parametrize("halt", [halted_by_stop, halted_by_another_result, halted_by_a_fusion])
def test_work_ends_within_one_slice(viewer, made, preparer, gate, qtbot, halt):
    gate.close()
    preparer.point_at(LEFT)
    preparer.start()
    qtbot.waitUntil(lambda: preparer.is_working)
    halt(viewer, preparer)
    qtbot.wait(400)
    gate.open()
    qtbot.waitUntil(lambda: not preparer.is_working)
    assert gate.n_read == 1


def test_work_ends_when_the_preparer_is_destroyed(viewer, made, gate, qtbot):
    preparer = CurvePreparer(viewer, lambda: False)
    preparer.use(made)
    gate.close()
    preparer.point_at(LEFT)
    preparer.start()
    qtbot.waitUntil(lambda: preparer.is_working)
    job = preparer._job
    with qtbot.waitSignal(preparer.destroyed):
        preparer.deleteLater()
    gate.open()
    qtbot.waitUntil(lambda: not job.is_alive)
    assert gate.n_read == 1


def test_a_result_may_go_while_it_is_got_ready(viewer, made, preparer, gate, qtbot):
    gate.close()
    preparer.point_at(LEFT)
    preparer.start()
    qtbot.waitUntil(lambda: preparer.is_working)
    result_sets(viewer).discard(made)
    gate.open()
    qtbot.waitUntil(lambda: not preparer.is_working)


def test_what_cannot_be_read_is_tried_once_and_not_told(made, preparer, qtbot, monkeypatch):
    from napari.utils.notifications import notification_manager

    tried = []

    def fails(reader, position):
        tried.append(position)
        raise SourceError("gone")

    monkeypatch.setattr(WindowReader, "engine_slice", fails)
    n_before = len(notification_manager.records)
    preparer.point_at(LEFT)
    preparer.start()
    qtbot.wait(1500)
    assert tried == [0]
    assert len(notification_manager.records) == n_before
