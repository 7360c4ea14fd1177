"""Painting in a real Labels layer corrects the result, as if it had been made anew."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff import FocusStack, fuse, open_result
from napari_gmff._napari.correcting.correction_session import CorrectionSession, session_of
from napari_gmff._napari.files.writer import save_layers
from napari_gmff._napari.layers.result_sets import METADATA_KEY, ResultSet, result_sets
from napari_gmff.corrected_result import CorrectedResult, apply_corrections
from napari_gmff.correction_labels import only_known
from napari_gmff.corrections import Corrections, load_corrections
from napari_gmff.errors import GmffError, ParameterError, SourceError
from napari_gmff.live_images import LiveImages
from tests.gui.sets import VOXEL_UM, fused_set
from tests.stacks import stack_of, textured

TIMEOUT_MS = 20_000


@pytest.fixture
def viewer(qtbot) -> Any:
    """Make a viewer without a window, whose layers are real ones."""
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()
    gc.collect()


def settle(qtbot, session: CorrectionSession) -> None:
    """Wait until all that was painted is applied."""
    qtbot.waitUntil(lambda: session.is_settled, timeout=TIMEOUT_MS)


def started(qtbot, viewer: ViewerModel, result_set: ResultSet) -> CorrectionSession:
    """Begin to correct a result."""
    session = session_of(viewer, result_set)
    session.open_layer()
    settle(qtbot, session)
    return session


def stroke(session: CorrectionSession, slice_number: int, *places: tuple[int, ...]) -> None:
    """Paint with the brush, as one stroke."""
    layer = session.layer
    assert layer is not None
    session.use_slice(slice_number)
    with layer.block_history():
        for place in places:
            layer.paint(place, layer.selected_label)


def assert_made_anew(result_set: ResultSet, labels: np.ndarray) -> None:
    """Compare store, shown images and record with corrections applied at once to a new fusion."""
    with (
        fuse(result_set.stack, params=result_set.params) as original,
        apply_corrections(original, result_set.stack, Corrections.of(original, labels)) as made,
    ):
        assert result_set.result.images == made.images
        for name in made.images:
            expected = made.image(name).compute()
            found = result_set.result.image(name).compute()
            np.testing.assert_array_equal(found, expected, err_msg=name)
        shown = LiveImages(original.images.values())
        for name, spec in original.images.items():
            values = made.image(name).compute()
            for time in range(spec.n_times):
                frame = values[time] if "t" in spec.axes else values
                shown.put(name, time, tuple(slice(0, side) for side in spec.shape_yx), frame)
            levels = result_set.images.levels(name)
            for level, expected in zip(levels, shown.levels(name), strict=True):
                np.testing.assert_array_equal(level, expected, err_msg=f"shown {name}")
        record = {**result_set.result.provenance.get("corrections", {}), "date": ""}
        assert record == {**made.provenance.get("corrections", {}), "date": ""}


@pytest.mark.parametrize("shape", [(4, 96, 128), (4, 600, 530)], ids=["one level", "pyramid"])
def test_painting_equals_a_result_made_anew(qtbot, viewer, shape) -> None:
    stack = stack_of(textured(shape), voxel_size_um=VOXEL_UM)
    result_set = fused_set(viewer, stack)
    session = started(qtbot, viewer, result_set)
    layer = session.layer
    stroke(session, 3, (20, 20), (24, 28), (30, 40))
    settle(qtbot, session)
    stroke(session, 0, (24, 28), (50, 90))
    layer.paint((22, 22), 0)  # the eraser
    layer.fill((22, 22), 2)  # the bucket
    layer.undo()
    layer.data_setitem((np.array([60, 61]), np.array([3, 4])), 2)
    settle(qtbot, session)
    assert_made_anew(result_set, layer.data)
    assert session.n_corrected == np.count_nonzero(layer.data) > 50
    assert session.fraction == session.n_corrected / layer.data.size


def test_a_polygon_equals_a_result_made_anew(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    session.layer.paint_polygon([(10, 10), (40, 15), (30, 60)], 4)
    settle(qtbot, session)
    assert session.n_corrected > 300
    assert_made_anew(result_set, session.layer.data)


def test_undo_and_redo_of_napari_are_followed(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    before = {name: result_set.result.image(name).compute() for name in result_set.result.images}
    session = started(qtbot, viewer, result_set)
    stroke(session, 2, (20, 20))
    settle(qtbot, session)
    after = session.layer.data.copy()
    session.layer.undo()
    settle(qtbot, session)
    assert session.n_corrected == 0
    assert result_set.result.images.keys() == before.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(result_set.result.image(name).compute(), values)
        np.testing.assert_array_equal(result_set.images.levels(name)[0], values)
    assert "corrections" not in result_set.result.provenance
    session.redo()
    settle(qtbot, session)
    np.testing.assert_array_equal(session.layer.data, after)
    assert_made_anew(result_set, after)
    session.undo()
    settle(qtbot, session)
    assert session.n_corrected == 0


def test_every_layer_tells_of_the_corrections(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    stroke(session, 2, (20, 20))
    settle(qtbot, session)
    record = result_set.result.provenance["corrections"]
    assert record["n_pixels"] == session.n_corrected
    assert record["by_slice"] == {"2": session.n_corrected}
    layers = [layer for group in result_set.layers.values() for layer in group]
    assert len(layers) == 4
    for layer in [*layers, session.layer]:
        assert layer.metadata[METADATA_KEY]["provenance"]["corrections"] == record


def test_what_changed_is_told_in_the_main_thread(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    told: list[tuple[Any, ...]] = []
    result_set.corrected.connect(
        lambda time, place: told.append((threading.current_thread(), time, place))
    )
    stroke(session, 2, (20, 30))
    settle(qtbot, session)
    assert {one[0] for one in told} == {threading.main_thread()}
    rows, columns = told[0][2]
    assert rows.start <= 20 < rows.stop <= 40
    assert columns.start <= 30 < columns.stop <= 50


def test_the_saved_result_has_the_latest_strokes(qtbot, viewer, tmp_path: Path) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    stroke(session, 3, (20, 20), (60, 60))
    settle(qtbot, session)
    assert isinstance(result_set.result, CorrectedResult)
    saved = open_result(result_set.result.save(tmp_path / "saved.ome.zarr"))
    chosen = session.layer.data > 0
    np.testing.assert_array_equal(saved.image("corrected").compute(), chosen)
    assert (saved.focus_index.compute()[chosen] == 3).all()
    assert saved.provenance["corrections"]["n_pixels"] == chosen.sum()


@pytest.mark.parametrize("images", [("fused", "focus_index", "depth", "confidence"), ("depth",)])
def test_napari_saves_layers_with_the_latest_strokes(
    qtbot, viewer, tmp_path: Path, images: tuple[str, ...]
) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    stroke(session, 3, (20, 20), (60, 60))
    settle(qtbot, session)
    layers = [layer for name in images for layer in result_set.layers[name]]
    out = str(tmp_path / "saved.ome.zarr")
    save_layers(out, [layer.as_layer_data_tuple() for layer in layers], "ome-zarr")
    saved = open_result(out)
    chosen = session.layer.data > 0
    np.testing.assert_array_equal(saved.image("corrected").compute(), chosen)
    assert (saved.depth.compute()[chosen] == 6.0).all()
    assert saved.provenance["corrections"]["n_pixels"] == chosen.sum()


class Gate:
    """Lets a stack be read only while it is open, and notes in which threads it is read."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.threads: set[threading.Thread] = set()
        self.is_broken = False

    def guarded(self, stack: FocusStack) -> FocusStack:
        """Return the same stack behind the gate."""
        fingerprint = stack.fingerprint
        data = stack.data.rechunk((1, 1, 1, 64, 64)).map_blocks(self._read, dtype=stack.dtype)
        made = replace(stack, data=data, levels=())
        made.__dict__["fingerprint"] = fingerprint
        return made

    def _read(self, block: np.ndarray) -> np.ndarray:
        self.threads.add(threading.current_thread())
        if not self.is_open.wait(timeout=20):
            raise TimeoutError("the gate stayed shut")
        if self.is_broken:
            raise OSError("drive gone")
        return block


@pytest.fixture
def gated(viewer):
    """Return a result whose stack is behind a gate."""
    gate = Gate()
    stack = gate.guarded(stack_of(textured((4, 96, 128)), voxel_size_um=VOXEL_UM))
    result_set = fused_set(viewer, stack, with_source=False)
    gate.threads.clear()
    yield gate, result_set
    gate.is_open.set()


def test_nothing_is_read_in_the_main_thread(qtbot, viewer, gated) -> None:
    gate, result_set = gated
    session = started(qtbot, viewer, result_set)
    stroke(session, 1, (20, 20), (70, 100))
    settle(qtbot, session)
    assert gate.threads
    assert threading.main_thread() not in gate.threads


def test_strokes_that_come_while_the_stack_is_read_are_not_lost(qtbot, viewer, gated) -> None:
    gate, result_set = gated
    session = started(qtbot, viewer, result_set)
    gate.is_open.clear()
    stroke(session, 1, (20, 20))
    qtbot.waitUntil(lambda: bool(gate.threads), timeout=TIMEOUT_MS)
    for number, place in enumerate([(22, 24), (70, 100), (22, 24), (50, 60)]):
        stroke(session, number % 4, place)
        qtbot.wait(5)
    session.layer.undo()
    assert not session.is_settled
    gate.is_open.set()
    settle(qtbot, session)
    assert_made_anew(result_set, session.layer.data)


def test_a_stack_that_cannot_be_read_is_told_and_tried_again(qtbot, viewer, gated) -> None:
    gate, result_set = gated
    session = started(qtbot, viewer, result_set)
    errors: list[Exception] = []
    session.failed.connect(errors.append)
    gate.is_broken = True
    stroke(session, 1, (20, 20))
    settle(qtbot, session)
    assert isinstance(errors[-1], SourceError)
    assert "slice 1: cannot be read (drive gone)" in str(errors[-1])
    assert session.n_corrected == 0
    gate.is_broken = False
    stroke(session, 2, (60, 60))
    settle(qtbot, session)
    assert_made_anew(result_set, session.layer.data)


def test_a_result_that_leaves_while_it_is_corrected_leaves_nothing(
    qtbot, viewer, gated, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate, result_set = gated
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    original = result_set.result.store_path
    session = started(qtbot, viewer, result_set)
    errors: list[Exception] = []
    session.failed.connect(errors.append)
    assert len(list(tmp_path.iterdir())) == 1
    gate.is_open.clear()
    stroke(session, 1, (20, 20))
    qtbot.waitUntil(lambda: bool(gate.threads), timeout=TIMEOUT_MS)
    for group in list(result_set.layers.values()):
        for layer in list(group):
            viewer.layers.remove(layer)
    assert len(result_sets(viewer)) == 0
    gate.is_open.set()
    qtbot.waitUntil(lambda: not list(tmp_path.iterdir()), timeout=TIMEOUT_MS)
    assert not original.exists()
    assert errors == []
    # The layer is still there, and painting in it harms nobody.
    viewer.layers[-1].paint((30, 30), 2)
    qtbot.wait(50)


def test_deleting_the_layer_keeps_the_corrections_and_reset_takes_them_back(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    stroke(session, 3, (20, 20))
    labels = session.layer.data.copy()
    viewer.layers.remove(session.layer)
    settle(qtbot, session)
    assert session.layer is None
    assert_made_anew(result_set, labels)
    again = session.open_layer()
    np.testing.assert_array_equal(again.data, labels)
    viewer.layers.remove(again)
    session.reset()
    settle(qtbot, session)
    assert session.n_corrected == 0
    assert_made_anew(result_set, np.zeros_like(labels))


def test_reset_can_be_undone(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    stroke(session, 3, (20, 20))
    stroke(session, 1, (60, 60))
    labels = session.layer.data.copy()
    session.reset()
    settle(qtbot, session)
    assert not session.layer.data.any()
    assert session.n_corrected == 0
    session.undo()
    settle(qtbot, session)
    np.testing.assert_array_equal(session.layer.data, labels)
    assert_made_anew(result_set, labels)


def test_a_marked_area_changes_nothing_until_it_is_filled(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    session.layer.brush_size = 12
    session.mark_area()
    session.layer.paint((40, 64), session.layer.selected_label)
    settle(qtbot, session)
    assert session.n_corrected == 0
    marked = session.layer.data == session.mark
    assert marked.any()
    session.fill()
    settle(qtbot, session)
    assert not (session.layer.data == session.mark).any()
    assert (session.layer.data[marked] > 0).all()
    assert_made_anew(result_set, session.layer.data)
    index = result_set.result.focus_index.compute()
    assert set(np.unique(index[marked])) <= {1, 2}
    session.undo()
    settle(qtbot, session)
    np.testing.assert_array_equal(session.layer.data == session.mark, marked)


def test_filling_without_a_mark_says_what_to_do(qtbot, viewer) -> None:
    session = started(qtbot, viewer, fused_set(viewer))
    words: list[str] = []
    session.told.connect(words.append)
    session.fill()
    settle(qtbot, session)
    assert "Mark an area" in words[0]
    assert session.n_corrected == 0


def test_what_was_painted_into_a_mark_meanwhile_is_kept(qtbot, viewer) -> None:
    session = started(qtbot, viewer, fused_set(viewer))
    session.layer.brush_size = 12
    session.mark_area()
    session.layer.paint((40, 64), session.mark)
    session.fill()
    session.layer.data_setitem((np.array([40]), np.array([64])), 4)
    settle(qtbot, session)
    assert session.layer.data[40, 64] == 4


@pytest.mark.parametrize("z_range", [None, (1, 3)])
def test_a_label_without_a_slice_is_refused_with_words(qtbot, viewer, z_range) -> None:
    result_set = fused_set(viewer, z_range=z_range)
    session = started(qtbot, viewer, result_set)
    words: list[str] = []
    session.told.connect(words.append)
    session.layer.selected_label = 77
    assert session.layer.selected_label == session.numbers[-1] + 1
    assert f"with {session.numbers[-1]} now" in words[-1]
    if z_range:
        session.layer.selected_label = 1
        assert session.layer.selected_label == 2
        assert "No slice 0 was fused" in words[-1]
    # A script can still paint it; it has no effect.
    session.layer.data_setitem((np.array([5, 6]), np.array([5, 6])), 99)
    session.layer.data_setitem((np.array([9]), np.array([9])), 3)
    settle(qtbot, session)
    labels = only_known(session.layer.data, session.numbers)
    assert np.count_nonzero(labels) == 1
    assert_made_anew(result_set, labels)


def test_corrections_are_saved_and_applied_after_another_run(qtbot, viewer, tmp_path: Path) -> None:
    first = fused_set(viewer)
    session = started(qtbot, viewer, first)
    words: list[str] = []
    session.told.connect(words.append)
    stroke(session, 3, (20, 20), (40, 80))
    session.mark_area()
    session.layer.paint((70, 70), session.mark)
    session.save(tmp_path / "a.corrections.npz")
    settle(qtbot, session)
    saved = load_corrections(tmp_path / "a.corrections.npz")
    assert words == [f"{saved.n_pixels:,} corrected pixels saved to a.corrections.npz."]
    assert saved.by_slice.keys() == {3}

    second = fused_set(viewer, first.stack, input_sigma_px=3)
    again = session_of(viewer, second)
    again.open_layer()
    stroke(again, 0, (80, 30))
    expected = np.where(saved.labels, saved.labels, again.layer.data)
    again.apply_file(tmp_path / "a.corrections.npz")
    settle(qtbot, again)
    np.testing.assert_array_equal(again.layer.data, expected)
    assert_made_anew(second, expected)
    again.undo()
    settle(qtbot, again)
    assert again.n_corrected == np.count_nonzero(again.layer.data == 1)


def test_a_file_of_another_stack_is_refused_with_words(qtbot, viewer, tmp_path: Path) -> None:
    other = stack_of(textured((4, 96, 128), seed=5))
    with fuse(other, engine="laplacian-energy") as result:
        Corrections.of(result, np.ones((96, 128), int)).save(tmp_path / "other.npz")
    session = started(qtbot, viewer, fused_set(viewer))
    errors: list[Exception] = []
    session.failed.connect(errors.append)
    for name in ("other.npz", "missing.npz"):
        session.apply_file(tmp_path / name)
        settle(qtbot, session)
    assert isinstance(errors[0], ParameterError)
    assert "made for the stack" in str(errors[0])
    assert isinstance(errors[1], SourceError)
    assert not session.layer.data.any()


def test_the_layer_of_an_earlier_run_is_taken_up(qtbot, viewer) -> None:
    first = fused_set(viewer)
    stack = first.stack
    session = started(qtbot, viewer, first)
    stroke(session, 3, (20, 20))
    settle(qtbot, session)
    layer = session.layer
    for group in list(first.layers.values()):
        for one in list(group):
            viewer.layers.remove(one)
    second = fused_set(viewer, stack, input_sigma_px=3, with_source=False)
    words: list[str] = []
    again = session_of(viewer, second)
    again.told.connect(words.append)
    assert again.open_layer() is layer
    settle(qtbot, again)
    assert "earlier run" in words[0]
    assert_made_anew(second, layer.data)
    stroke(again, 0, (60, 60))
    settle(qtbot, again)
    assert_made_anew(second, layer.data)


def test_a_layer_made_for_other_slices_is_left_alone(qtbot, viewer) -> None:
    first = fused_set(viewer, z_range=(0, 3))
    old = started(qtbot, viewer, first).layer
    for group in list(first.layers.values()):
        for one in list(group):
            viewer.layers.remove(one)
    second = fused_set(viewer, first.stack, with_source=False)
    assert started(qtbot, viewer, second).layer is not old


def test_time_points_are_corrected_each_on_its_own(qtbot, viewer) -> None:
    stack = stack_of(textured((3, 2, 4, 64, 80)), "TCZYX", voxel_size_um=VOXEL_UM)
    result_set = fused_set(viewer, stack, region=((4, 60), (8, 80)), time=(1, 3))
    session = started(qtbot, viewer, result_set)
    layer = session.layer
    assert layer.data.shape == (2, 1, 56, 72)
    viewer.dims.set_point(0, 1)
    stroke(session, 2, (1, 0, 20, 30))
    settle(qtbot, session)
    labels = layer.data.reshape(2, 56, 72)
    assert not labels[0].any()
    assert labels[1].any()
    assert_made_anew(result_set, labels)
    viewer.dims.set_point(0, 0)
    session.mark_area()
    layer.paint((0, 0, 30, 36), session.mark)
    session.fill()
    settle(qtbot, session)
    assert labels[0].any()
    assert_made_anew(result_set, labels)


def test_the_slice_on_screen_is_that_of_the_slider_even_where_z_falls(qtbot, viewer) -> None:
    result_set = fused_set(viewer, z_positions_um=[6.0, 4.0, 2.0, 0.0])
    session = started(qtbot, viewer, result_set)
    for z_um, number in ((6.0, 0), (4.0, 1), (0.0, 3)):
        viewer.dims.set_point(0, z_um)
        assert session.slice_in_view() == number


def test_a_slice_on_screen_that_was_not_fused_is_none(qtbot, viewer) -> None:
    session = started(qtbot, viewer, fused_set(viewer, z_range=(0, 2)))
    viewer.dims.set_point(0, 6.0)
    assert session.slice_in_view() is None


def test_an_array_that_another_plugin_put_in_is_followed_or_refused(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = started(qtbot, viewer, result_set)
    errors: list[GmffError] = []
    session.failed.connect(errors.append)
    other = np.zeros_like(session.layer.data)
    other[10:20, 10:20] = 4
    session.layer.data = other
    settle(qtbot, session)
    assert_made_anew(result_set, other)
    stroke(session, 0, (40, 40))
    settle(qtbot, session)
    assert_made_anew(result_set, other)
    session.layer.data = np.zeros((96, 128), np.int64)
    assert "must hold a NumPy array of uint8 (96, 128), got ndarray of int64" in str(errors[-1])


def test_labels_have_the_colours_of_the_focus_map(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    index = result_set.focus_index_layer
    session = started(qtbot, viewer, result_set)
    index.colormap, index.contrast_limits = "viridis", (0, 3)
    for number in range(4):
        expected = index.colormap.map(number / 3)[0]
        np.testing.assert_allclose(session.layer.colormap.map(number + 1), expected, atol=0.01)
    assert session.layer.colormap.map(0)[-1] == 0


def test_a_result_has_one_session(qtbot, viewer) -> None:
    result_set = fused_set(viewer)
    session = session_of(viewer, result_set)
    assert session_of(viewer, result_set) is session
    assert result_set.correcting is session
