"""The slices used are counted and those that are not are named."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.inspecting.slices_panel import SlicesPanel, slice_counts, unused_words
from napari_gmff._napari.layers.slice_navigation import slice_in_view
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    panel = SlicesPanel(viewer)
    qtbot.addWidget(panel)
    return panel


def bars(panel):
    """Return the heights of the bars, as shares of all pixels."""
    (collection,) = panel.plot.figure.axes[0].collections
    return [path.vertices[:, 1].max() for path in collection.get_paths()]


def test_counts_are_those_of_the_focus_map():
    index = np.random.default_rng(3).integers(2, 7, (300, 211)).astype(np.uint8)
    index[index == 4] = 5
    numbers, counts = slice_counts(index, np.arange(2, 9))
    np.testing.assert_array_equal(numbers, np.arange(2, 9))
    np.testing.assert_array_equal(counts, [(index == number).sum() for number in numbers])
    assert counts.sum() == index.size


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 1, 1], "All 3 slices are used."),
        ([1, 0, 1], "Slice 6 is not used anywhere."),
        ([0, 1, 0], "Slices 5 and 7 are not used anywhere."),
        ([0, 0, 0, 1, 0, 0, 1, 0], "Slices 5–7, 9, 10 and 12 are not used anywhere."),
        ([0, 0, 0], "Slices 5–7 are not used anywhere."),
    ],
)
def test_unused_slices_are_named(counts, words):
    assert unused_words(np.arange(5, 5 + len(counts)), np.array(counts)) == words


def test_the_plot_shows_the_share_of_each_slice(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    qtbot.waitUntil(lambda: bool(panel.words))
    index = made.result.focus_index.compute()
    np.testing.assert_allclose(bars(panel), [(index == k).mean() for k in range(4)])
    assert panel.words == "All 4 slices are used."


def test_a_correction_is_counted(viewer, panel, qtbot):
    made = fused_set(viewer)
    panel.use(made)
    qtbot.waitUntil(lambda: bool(panel.words))
    made.put("focus_index", 0, (slice(0, 96), slice(0, 128)), np.full((96, 128), 2, np.uint8))
    panel.refresh()
    qtbot.waitUntil(lambda: panel.words == "Slices 0, 1 and 3 are not used anywhere.")
    np.testing.assert_allclose(bars(panel), [0, 0, 1, 0])


def test_the_time_point_in_view_is_counted(viewer, panel, qtbot):
    made = fused_set(viewer, stack_of(textured((2, 4, 60, 70)), "TZYX"))
    made.put("focus_index", 1, (slice(0, 60), slice(0, 70)), np.zeros((60, 70), np.uint8))
    panel.use(made)
    qtbot.waitUntil(lambda: panel.words == "All 4 slices are used.")
    viewer.dims.set_point(0, 1)
    panel.follow_time()
    qtbot.waitUntil(lambda: panel.words == "Slices 1–3 are not used anywhere.")


def test_a_click_on_a_bar_goes_to_its_slice(viewer, panel):
    made = fused_set(viewer)
    panel.use(made)
    panel.plot.slice_picked.emit(3)
    assert slice_in_view(viewer, made) == 3


def test_without_a_result_nothing_is_said(viewer, panel, qtbot):
    panel.use(fused_set(viewer))
    panel.use(None)
    qtbot.wait(50)
    assert panel.words == ""
    assert not panel.plot.figure.axes[0].collections
