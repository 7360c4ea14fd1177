"""napari's status bar names slice and z of a focus map under the cursor."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow

from napari_gmff._napari.layers.slice_status import show_slice_in_status, slice_words
from tests.gui.sets import VOXEL_UM, fused_set


@pytest.fixture
def viewer(make_napari_viewer):
    """Open a window in which the cursor is over the canvas."""
    viewer = make_napari_viewer()
    viewer.mouse_over_canvas = True
    show_slice_in_status(viewer)
    show_slice_in_status(viewer)  # asking twice changes nothing
    return viewer


def status_at(viewer, world) -> str:
    viewer.cursor.position = world
    viewer.update_status_from_cursor()
    return viewer.status["coordinates"] if isinstance(viewer.status, dict) else viewer.status


def test_slice_and_z_stand_behind_the_position(viewer):
    made = fused_set(viewer)
    (index,) = made.layers["focus_index"]
    viewer.layers.selection.active = index
    numbers = made.images.levels("focus_index")[0]
    for row, column in ((50, 10), (50, 120)):
        number = int(numbers[row, column])
        shown = status_at(viewer, (0.0, row * 0.5, column * 0.5))
        assert shown.endswith(f": slice {number} · z {number * VOXEL_UM[0]:g} µm"), shown
        assert shown.count("slice") == 1


def test_the_words_reach_the_bar_of_the_window(viewer):
    made = fused_set(viewer)
    viewer.layers.selection.active = made.layers["focus_index"][0]
    shown = status_at(viewer, (0.0, 20.0, 30.0))
    (window,) = (one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow))
    assert shown in [label.text() for label in window.statusBar().findChildren(QLabel)]


def test_outside_the_map_and_on_other_layers_the_status_is_napari_s_own(viewer):
    made = fused_set(viewer)
    viewer.layers.selection.active = made.layers["focus_index"][0]
    assert "slice" not in status_at(viewer, (0.0, -500.0, 5.0))
    viewer.layers.selection.active = made.layers["depth"][0]
    assert "slice" not in status_at(viewer, (0.0, 20.0, 30.0))


def test_a_slice_whose_z_is_unknown_is_just_its_number():
    assert slice_words({"slices": {"numbers": [3, 4], "z_um": None}}, 4) == "slice 4"
    provenance = {"slices": {"numbers": [3, 4], "z_um": np.array([1.5, 0.25]).tolist()}}
    assert slice_words(provenance, 4) == "slice 4 · z 0.25 µm"
