"""A run in a thread: its signals come in the window's thread, and every end is heard of."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtWidgets import QWidget

from napari_gmff import FuseParams, iter_fuse
from napari_gmff._napari.common.generator_run import RunState
from napari_gmff._napari.fusing.worker import FusionRun
from napari_gmff.errors import ParameterError
from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.pipeline import Progress
from tests.gui.fusion_dock import SMALL_WINDOWS, WAIT_MS, HeldStack, wait_for_threads
from tests.stacks import stack_of, textured

PARAMS = FuseParams(engine=CLASSICAL_ENGINE, **SMALL_WINDOWS)


class Heard:
    """Collects the signals of a run, with the thread that they came in."""

    def __init__(self, run: FusionRun) -> None:
        self.names: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.values: dict[str, list[object]] = {}
        for name in ("announced", "progressed", "window_done", "noted", "finished", "failed"):
            getattr(run, name).connect(lambda *values, name=name: self._take(name, *values))
        run.cancelled.connect(lambda: self._take("cancelled"))

    def _take(self, name: str, *values: object) -> None:
        self.names.append(name)
        self.threads.add(threading.current_thread())
        self.values.setdefault(name, []).append(values)

    @property
    def has_ended(self) -> bool:
        return bool({"finished", "failed", "cancelled"} & set(self.names))


def started(qtbot, make_steps, parent=None) -> tuple[FusionRun, Heard]:
    run = FusionRun("Fusing a test", make_steps, parent)
    heard = Heard(run)
    run.start()
    return run, heard


def steps_of(stack):
    return lambda should_stop: iter_fuse(stack, params=PARAMS, should_stop=should_stop)


def test_a_run_tells_its_story_in_the_window_and_ends_with_the_result(qtbot):
    stack = stack_of(textured((4, 200, 300)))
    run, heard = started(qtbot, steps_of(stack))
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    assert heard.names.count("announced") == 1
    assert heard.names[-1] == "finished"
    assert heard.threads == {threading.main_thread()}
    images, geometry = heard.values["announced"][0]
    ((result,),) = heard.values["finished"]
    with result:
        assert geometry == result.geometry
        for name in result.images:
            np.testing.assert_array_equal(images.levels(name)[0], result.image(name).compute())
    assert not run.is_running


def test_rate_and_time_left_are_told_for_the_stage(qtbot):
    held = HeldStack(textured((4, 300, 300)), (1, 300, 300))
    _, heard = started(qtbot, steps_of(stack_of(held.data)))
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    states = [state for (state,) in heard.values["progressed"]]
    last = states[-1]
    assert last.stage == "fuse"
    assert last.done == last.total > 0
    assert last.steps_per_s > 0
    assert last.seconds_left == 0
    assert isinstance(states[0], RunState)
    heard.values["finished"][0][0].close()


@pytest.mark.parametrize("read", [2, 9], ids=["measuring", "fusing"])
def test_a_cancelled_run_stops_within_a_slice_and_says_so(qtbot, read):
    held = HeldStack(textured((6, 128, 128)), (1, 128, 128))
    held.hold_at(read)
    run, heard = started(qtbot, steps_of(stack_of(held.data)))
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    run.cancel()
    assert run.is_stopping
    held.gate.set()
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    assert heard.names[-1] == "cancelled"
    assert len(held.reads) == read + 1, "no slice is read after the one that was being read"


def test_an_error_in_the_thread_arrives_even_if_it_is_a_runtime_error(qtbot):
    def steps(should_stop):
        yield Progress("measure", 0, 1)
        raise RuntimeError("CUDA out of memory, for instance")

    _, heard = started(qtbot, steps)
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    ((error,),) = heard.values["failed"]
    assert isinstance(error, RuntimeError)


def test_a_run_that_cannot_begin_fails_with_the_reason(qtbot):
    stack = stack_of(textured())
    params = PARAMS.model_copy(update={"channel": "no such"})
    _, heard = started(qtbot, lambda stop: iter_fuse(stack, params=params, should_stop=stop))
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    ((error,),) = heard.values["failed"]
    assert isinstance(error, ParameterError)


def test_notes_of_the_run_are_passed_on_once_each(qtbot):
    def steps(should_stop):
        yield Progress("measure", 0, 1, notes=("fewer slices at once",))
        yield Progress("measure", 1, 1)
        raise ParameterError("enough")

    _, heard = started(qtbot, steps)
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    assert heard.values["noted"] == [("fewer slices at once",)]


def test_steps_are_closed_in_their_own_thread(qtbot):
    closed_in = []

    def steps(should_stop):
        try:
            while True:
                yield Progress("measure", 0, 1)
                if should_stop():
                    raise ParameterError("stopped")
        finally:
            closed_in.append(threading.current_thread())

    run, heard = started(qtbot, steps)
    qtbot.waitUntil(lambda: "progressed" in heard.names, timeout=WAIT_MS)
    run.cancel()
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    assert len(closed_in) == 1
    assert closed_in[0] is not threading.main_thread()


def test_a_run_goes_with_its_widget_and_its_result_is_deleted(qtbot):
    held = HeldStack(textured((4, 128, 128)), (1, 128, 128))
    made = []

    def steps(should_stop):
        del should_stop  # so that the run gets to its end
        result = yield from iter_fuse(stack_of(held.data), params=PARAMS)
        made.append(result)
        return result

    widget = QWidget()
    held.gate.clear()
    run, heard = started(qtbot, steps, widget)
    qtbot.waitUntil(lambda: "progressed" in heard.names, timeout=WAIT_MS)
    widget.deleteLater()
    with qtbot.waitSignal(widget.destroyed):
        pass
    held.gate.set()
    wait_for_threads()
    assert not heard.has_ended
    assert len(made) == 1
    assert not made[0].store_path.exists()
    del run


def test_a_result_that_was_handed_over_survives_the_run(qtbot):
    widget = QWidget()
    _, heard = started(qtbot, steps_of(stack_of(textured((3, 64, 64)))), widget)
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    ((result,),) = heard.values["finished"]
    widget.deleteLater()
    with qtbot.waitSignal(widget.destroyed):
        pass
    with result:
        assert result.fused.compute().shape == (64, 64)


def test_the_stack_is_let_go_when_the_thread_ends(qtbot):
    stack = stack_of(textured((3, 64, 64)))
    gone = weakref.ref(stack)
    run, heard = started(qtbot, steps_of(stack))
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    heard.values.pop("finished")[0][0].close()
    del stack
    wait_for_threads()
    gc.collect()
    assert gone() is None
    assert not run.is_running


def test_the_activity_dock_shows_the_run_and_its_cancel_button_works(make_napari_viewer, qtbot):
    make_napari_viewer()
    held = HeldStack(textured((6, 128, 128)), (1, 128, 128))
    held.hold_at(2)
    before = set(progress._all_instances)
    _, heard = started(qtbot, steps_of(stack_of(held.data)))
    (bar,) = set(progress._all_instances) - before
    assert bar.desc.startswith("Fusing a test")
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    bar.cancel()
    seen = len(heard.names)
    qtbot.waitUntil(lambda: len(heard.names) > seen, timeout=WAIT_MS)
    held.gate.set()
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    assert heard.names[-1] == "cancelled"
    assert bar not in set(progress._all_instances)


def test_nothing_of_the_activity_is_printed_to_the_terminal(make_napari_viewer, qtbot, capfd):
    make_napari_viewer()
    _, heard = started(qtbot, steps_of(stack_of(textured((3, 64, 64)))))
    qtbot.waitUntil(lambda: heard.has_ended, timeout=WAIT_MS)
    heard.values["finished"][0][0].close()
    out, err = capfd.readouterr()
    assert "Fusing" not in out + err


def test_events_handled_while_the_run_is_looked_at_do_no_harm(make_napari_viewer, qtbot):
    make_napari_viewer()
    ends = []
    run = FusionRun("Fusing a test", steps_of(stack_of(textured((3, 64, 64)))))
    # As napari does when a bar of its activities moves.
    run.progressed.connect(lambda _: qtbot.wait(250))
    run.finished.connect(ends.append)
    run.failed.connect(ends.append)
    run.start()
    qtbot.waitUntil(lambda: bool(ends), timeout=WAIT_MS)
    qtbot.wait(300)
    (result,) = ends
    result.close()
    assert not run.is_running
