"""A restoration in a viewer is found from its layers, and goes with the last of them."""

from __future__ import annotations

import weakref

import pytest
from napari.components import ViewerModel

from napari_gmff._napari.layers.restored_layers import iter_add_restored_layers, limits_of
from napari_gmff._napari.layers.restored_sets import RestoredSet, restored_set_of, restored_sets
from napari_gmff._napari.layers.result_sets import result_sets, set_of
from napari_gmff._napari.restoring.restoration_work import shown_pixels
from tests.gui.sets import fused_set
from tests.restoration.made_restorations import made_restoration


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def made(viewer, tmp_path):
    fused = fused_set(viewer)
    result = made_restoration(fused.result, tmp_path / "made")
    images = shown_pixels(result)
    made = RestoredSet("relief", result, images, weakref.ref(fused))
    for image, layer in iter_add_restored_layers(
        viewer, images, result.geometry, result.provenance, "relief", fused.layers["fused"],
        limits=limits_of(images), set_id=made.set_id,
    ):  # fmt: skip
        made.layers.setdefault(image, []).append(layer)
    restored_sets(viewer).add(made)
    return made


def test_it_is_found_from_each_of_its_layers_and_is_no_fusion(viewer, made):
    for layer in made.all_layers():
        assert restored_set_of(layer) is made
        assert set_of(layer) is None
    assert restored_set_of(viewer.layers["relief fused"]) is None
    assert restored_set_of(None) is None
    assert made not in list(result_sets(viewer))


def test_it_stays_until_its_last_layer_is_deleted(viewer, made):
    *others, last = made.all_layers()
    for layer in others:
        viewer.layers.remove(layer)
    assert list(restored_sets(viewer)) == [made]
    assert made.result.store_path.exists()
    viewer.layers.remove(last)
    assert len(restored_sets(viewer)) == 0
    assert not made.result.store_path.exists()
    assert made.any_layer() is None


def test_it_knows_what_was_restored_as_long_as_that_is_there(viewer, made):
    (fusion,) = result_sets(viewer)
    assert made.fusion is fusion
    for layer in [one for layers in fusion.layers.values() for one in layers]:
        viewer.layers.remove(layer)
    assert made.fusion is None


def test_the_fusion_stays_when_the_restoration_goes(viewer, made):
    for layer in made.all_layers():
        viewer.layers.remove(layer)
    assert len(result_sets(viewer)) == 1
