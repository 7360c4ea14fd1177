"""The list of fusions follows the viewer and the layer that is selected."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_gmff._napari.common.connections import Connections
from napari_gmff._napari.layers.saved_fusions import SavedFusion
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved
from napari_gmff._napari.layers.set_picker import SetPicker
from tests.gui.sets import fused_set


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def owner(qtbot):
    owner = QWidget()
    QVBoxLayout(owner)
    qtbot.addWidget(owner)
    return owner


def picker(viewer, owner, **options) -> SetPicker:
    made = SetPicker(viewer, set(), Connections(owner), **options)
    owner.layout().addWidget(made)
    return made


def test_without_a_fusion_there_is_nothing_to_pick(viewer, owner):
    sets = picker(viewer, owner)
    assert sets.result_set is None
    assert not sets.findChild(QComboBox).isEnabled()


def test_a_new_fusion_is_picked_and_one_that_is_gone_is_not(viewer, owner):
    sets, heard = picker(viewer, owner), []
    sets.picked.connect(heard.append)
    first = fused_set(viewer, with_source=False)
    second = fused_set(viewer, with_source=False)
    assert heard == [first, second]
    for layers in list(second.layers.values()):
        for layer in list(layers):
            viewer.layers.remove(layer)
    assert sets.result_set is first
    viewer.layers.clear()
    assert sets.result_set is None
    assert heard == [first, second, first, None]


def test_the_selected_layer_decides_and_other_layers_change_nothing(viewer, owner):
    first, second = fused_set(viewer), fused_set(viewer)
    sets = picker(viewer, owner)
    viewer.layers.selection.active = first.layers["depth"][0]
    assert sets.result_set is first
    viewer.layers.selection.active = second.source_layers[0]
    assert sets.result_set is first
    viewer.layers.selection.active = second.layers["confidence"][0]
    assert sets.result_set is second


def test_results_from_disk_are_offered_only_where_they_are_wanted(viewer, owner, tmp_path):
    made = fused_set(viewer)
    saved = open_saved(made.result.save(tmp_path / "x.ome.zarr"))
    plain, both = picker(viewer, owner), picker(viewer, owner, with_saved=True)
    for data, kwargs, _ in layers_of_saved(saved):
        viewer.add_image(data, **kwargs)
    assert plain.result_set is made
    assert isinstance(both.result_set, SavedFusion)
    assert both.result_set.saved is saved
    viewer.layers.selection.active = made.layers["depth"][0]
    assert both.result_set is made
    viewer.layers.selection.active = viewer.layers[-1]
    assert both.result_set.saved is saved
