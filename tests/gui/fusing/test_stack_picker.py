"""The stack is picked by itself, described in words, and what stops it is said."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QDoubleSpinBox, QVBoxLayout, QWidget

from napari_gmff._napari.fusing.stack_picker import StackPicker
from napari_gmff._napari.inspecting.confidence_panel import ConfidencePanel
from napari_gmff._napari.layers.result_sets import METADATA_KEY, set_of
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack
from napari_gmff._napari.layers.swipe import Swipe
from tests.gui.fusion_dock import PLACE, HeldStack
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def picker(viewer, qtbot):
    window = QWidget()
    picker = StackPicker(viewer, set())
    QVBoxLayout(window).addWidget(picker)
    qtbot.addWidget(window)
    window.show()
    yield picker
    picker.shut()


def offered(picker) -> list[str]:
    return [words for words, _ in picker._layers.choices()]


def picked(picker) -> str:
    return picker._layers.focusProxy().currentText()


def add(viewer, name, shape=(6, 40, 50), **options):
    return viewer.add_image(np.zeros(shape, np.uint16), name=name, **{**PLACE, **options})


def test_an_empty_viewer_says_how_to_begin(picker):
    assert picker.view is None
    assert "Open a focus stack" in picker.words


def test_a_new_stack_is_picked_by_itself_and_described(viewer, picker):
    add(viewer, "cells")
    assert picked(picker) == "cells"
    assert picker.words == "6 slices · 2 µm step · 16 bit · 50×40"
    assert picker.problems == ""
    picker.add_words("about 14 s on this CPU")
    assert picker.words == "6 slices · 2 µm step · 16 bit · 50×40 · about 14 s on this CPU"


def test_the_active_layer_is_followed_but_not_to_a_flat_one(viewer, picker):
    first, second = add(viewer, "first"), add(viewer, "second")
    flat = viewer.add_image(np.zeros((40, 50), np.uint8), name="flat")
    for layer, expected in ((first, "first"), (second, "second"), (flat, "second")):
        viewer.layers.selection.active = layer
        assert picked(picker) == expected


def test_the_stack_stays_picked_when_a_result_is_selected_moved_or_deleted(viewer, picker):
    first = add(viewer, "first")
    add(viewer, "second")
    viewer.layers.selection.active = first
    facts = {METADATA_KEY: {"set": None}}
    result = add(viewer, "first fused", metadata=facts)
    assert viewer.layers.selection.active is result
    assert picked(picker) == "first"
    viewer.layers.move(2, 0)
    assert picked(picker) == "first"
    viewer.layers.remove(result)
    assert picked(picker) == "first"


def test_the_stack_stays_picked_when_its_channels_are_reordered_or_deleted(viewer, picker):
    add(viewer, "other")
    array = np.stack([textured(), textured(seed=1)])
    source = StackSource(stack_of(array, axes="CZYX", voxel_size_um=(2, 0.5, 0.5)))
    for data, kwargs, _ in layers_of_stack(source, "cells"):
        viewer.add_image(data, **kwargs)
    assert picker.view.name == "cells"
    viewer.layers.move(2, 1)
    assert picker.view.name == "cells"
    assert len(picker.view.layers) == 2
    viewer.layers.selection.active = viewer.layers["other"]
    viewer.layers.selection.active = viewer.layers[1]
    viewer.layers.remove(viewer.layers[1])
    assert picker.view.layers == (viewer.layers[1],)


def test_layers_that_are_no_stacks_of_the_user_are_not_offered(viewer, picker):
    add(viewer, "cells")
    viewer.add_points(np.zeros((1, 3)))
    viewer.add_labels(np.zeros((6, 40, 50), np.uint8))
    add(viewer, "cells fused", metadata={METADATA_KEY: {"set": None}})
    assert offered(picker) == ["cells"]


def test_the_channels_of_a_stack_are_one_entry(viewer, picker):
    array = np.stack([textured(), textured(seed=1)])
    source = StackSource(stack_of(array, axes="CZYX", voxel_size_um=(2, 0.5, 0.5)))
    for data, kwargs, _ in layers_of_stack(source, "cells"):
        viewer.add_image(data, **kwargs)
    assert len(offered(picker)) == 1
    assert picker.view.layers == tuple(viewer.layers)
    viewer.layers.selection.active = viewer.layers[1]
    assert len(picker.view.layers) == 2
    assert "2 channels" in picker.words


@pytest.mark.parametrize(
    ("shape", "dtype", "problem"),
    [
        ((40, 50), np.uint8, "no Z axis"),
        ((1, 40, 50), np.uint8, "1 slice"),
        ((6, 40, 50), np.float64, "float64"),
    ],
)
def test_what_stops_a_fusion_is_said_in_words(viewer, picker, shape, dtype, problem):
    viewer.add_image(np.zeros(shape, dtype), axis_labels=tuple("zyx")[-len(shape) :])
    assert problem in picker.problems
    assert picker.view is None
    assert picker.stack is None


def test_the_step_that_is_entered_belongs_to_its_layer(viewer, picker):
    first = add(viewer, "first", units=("pixel",) * 3, scale=(1, 1, 1))
    assert picker.stack.z_positions_um is None
    picker.findChild(QDoubleSpinBox).setValue(0.25)
    np.testing.assert_allclose(picker.stack.z_positions_um, np.arange(6) * 0.25)
    assert "0.25 µm step" in picker.words
    with picker.lend() as lent:
        assert lent.voxel_size_um[0] == 0.25
    add(viewer, "second", units=("pixel",) * 3, scale=(1, 1, 1))
    assert "step unknown" in picker.words
    viewer.layers.selection.active = first
    assert "0.25 µm step" in picker.words


def test_an_axis_that_is_time_is_taken_as_such(viewer, picker):
    viewer.add_image(np.zeros((6, 40, 50), np.uint8))
    assert "6 slices" in picker.words
    axis = picker._questions._axis
    axis.set_value("time")
    assert "Time points are no slices" in picker.problems
    assert picker.view is None
    axis.set_value(0)
    assert picker.problems == ""
    assert picker.view is not None


def test_what_the_user_makes_of_the_layer_is_understood_at_once(viewer, picker):
    layer = add(viewer, "cells")
    told = []
    picker.changed.connect(lambda: told.append(1))
    layer.scale = (3.0, 0.5, 0.5)
    assert "3 µm step" in picker.words
    layer.data = np.zeros((9, 40, 50), np.uint8)
    assert "9 slices" in picker.words
    layer.name = "other"
    assert picker.view.name == "other"
    assert len(told) >= 3


def test_a_deleted_stack_gives_way_to_another(viewer, picker):
    first = add(viewer, "first")
    add(viewer, "second")
    viewer.layers.selection.active = first
    viewer.layers.remove(first)
    assert picked(picker) == "second"
    viewer.layers.clear()
    assert picker.view is None
    assert "Open a focus stack" in picker.words


def test_nothing_is_read_to_describe_a_stack(viewer, picker):
    held = HeldStack(textured((6, 40, 50)), (1, 40, 50))
    layer = viewer.add_image(held.data, contrast_limits=(0, 1), visible=False, **PLACE)
    held.reads.clear()
    layer.scale = (3.0, 0.5, 0.5)
    assert "6 slices" in picker.words
    picker.lend().close()
    assert held.reads == []


def test_a_source_that_is_no_longer_shown_is_let_go(viewer, picker):
    source = StackSource(stack_of(textured(), voxel_size_um=(2, 0.5, 0.5)))
    gone = weakref.ref(source)
    for data, kwargs, _ in layers_of_stack(source, "cells"):
        viewer.add_image(data, **kwargs)
    del source, data, kwargs
    assert picker.view is not None
    viewer.layers.remove(viewer.layers[0])
    add(viewer, "other")
    viewer.layers.selection.active = None  # napari remembers the last one
    viewer.layers.selection.active = viewer.layers[0]
    gc.collect()
    assert gone() is None


def test_a_closed_picker_hears_nothing_more(viewer, picker):
    layer = add(viewer, "cells")
    told = []
    picker.changed.connect(lambda: told.append(1))
    picker.shut()
    layer.scale = (5.0, 1, 1)
    add(viewer, "more")
    assert told == []


def test_layers_that_help_to_look_at_a_result_are_not_offered(viewer, picker, qtbot):
    made = fused_set(viewer)
    panel = ConfidencePanel(viewer, set())
    qtbot.addWidget(panel)
    panel.use(made)
    stacks = offered(picker)
    panel.box.setChecked(True)
    swipe = Swipe(viewer, made)
    assert panel.overlay in viewer.layers and swipe.layers
    assert offered(picker) == stacks
    assert set_of(panel.overlay) is None
