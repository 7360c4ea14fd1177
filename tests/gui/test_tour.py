"""The way of a user through the plugin, from a file to the same layers again.

The steps are those of the script that takes the pictures of the docs.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import tifffile
from napari.layers import Layer

from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.weights.store import STORE_VARIABLE
from tests.stacks import textured

SHAPE = (4, 200, 280)  # large enough for a pyramid
STEP_UM, PIXEL_UM = 2.0, 0.5
NAMES = ["stack confidence", "stack depth", "stack focus index", "stack fused"]


@pytest.fixture(scope="module")
def steps(repository):
    """Return the script as a module."""
    place = repository / "docs" / "make_screenshots.py"
    spec = importlib.util.spec_from_file_location("make_screenshots", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path):
    """Write an OME-TIFF of which slice k is sharp in the k-th part of the width."""
    path = tmp_path / "stack.ome.tif"
    metadata = {"axes": "ZYX", "PhysicalSizeX": PIXEL_UM, "PhysicalSizeY": PIXEL_UM}
    tifffile.imwrite(path, textured(SHAPE), metadata={**metadata, "PhysicalSizeZ": STEP_UM})
    return path


@pytest.fixture
def tour(steps, make_napari_viewer, source, tmp_path):
    """Return the tour of a user who has opened and fused that file."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*steps.WINDOW_PX)
    tour = steps.Tour(viewer, tmp_path / "images")
    tour.open(source)
    tour.fuse(CLASSICAL_ENGINE)
    return tour


def pixels(steps, viewer, name):
    """Return the pixels of a layer as they are now."""
    return np.array(steps.levels_of(viewer.layers[name])[0])


def test_a_file_is_fused_inspected_corrected_measured_saved_and_opened_again(
    steps, tour, make_napari_viewer, tmp_path, monkeypatch
):
    viewer, stack = tour.viewer, textured(SHAPE)
    assert sorted(layer.name for layer in viewer.layers) == sorted(["stack", *NAMES])
    index = pixels(steps, viewer, "stack focus index")
    at_yx = tuple(np.mgrid[: SHAPE[1], : SHAPE[2]])
    np.testing.assert_array_equal(pixels(steps, viewer, "stack fused"), stack[(index, *at_yx)])

    curves = tour.inspect()
    assert np.argmax(curves.scores) == index[curves.pixel[1:]]
    np.testing.assert_array_equal(curves.intensities[0], stack[:, *curves.pixel[1:]])
    assert viewer.dims.point[0] == STEP_UM * index[curves.pixel[1:]]
    assert "stack pixel" not in viewer.layers

    n_corrected = tour.correct()
    changed = pixels(steps, viewer, "stack focus index")
    painted = pixels(steps, viewer, "stack fused") != stack[(index, *at_yx)]
    assert 0 < painted.sum() <= n_corrected
    assert (changed[painted] == SHAPE[0] - 1).all()
    np.testing.assert_array_equal(pixels(steps, viewer, "stack fused"), stack[(changed, *at_yx)])

    profile = tour.measure()
    assert profile.length_um == pytest.approx(0.8 * PIXEL_UM * SHAPE[2], rel=0.05)
    assert profile.height_difference_um == pytest.approx(STEP_UM * (SHAPE[0] - 1), abs=STEP_UM / 2)
    assert viewer.dims.ndisplay == 2

    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "models"))
    page = tour.ask_before_restoring()
    assert list(page.boxes) == ["sd21-base", "ifcontrolnet"], "off until both are agreed to"
    assert not (tmp_path / "models").exists()

    again = make_napari_viewer()
    tour.save_and_open_again(tmp_path / "fused.ome.zarr", again)
    assert sorted(layer.name for layer in again.layers) == NAMES
    record = again.layers["stack depth"].metadata["gmff"]["provenance"]
    assert record["corrections"]["n_pixels"] == n_corrected
    assert {path.stem for path in (tmp_path / "images").iterdir()} == {
        "fuse",
        "inspect",
        "correct",
        "surface",
        "restore",
    }


def test_layers_that_differ_in_one_pixel_or_unit_are_told_apart(steps, tour):
    layers = steps.result_layers(tour.viewer)
    steps.compare_layers(layers, layers)
    others = []
    for layer in layers:
        _, kwargs, kind = layer.as_layer_data_tuple()
        data = [np.array(level) for level in steps.levels_of(layer)]
        others.append(Layer.create(data, kwargs, kind))
    steps.compare_layers(layers, others)
    others[0].units = ("nm", "nm")
    with pytest.raises(AssertionError, match="units"):
        steps.compare_layers(layers, others)
    others[0].units = layers[0].units
    others[-1].data[0][5, 7] += 1
    with pytest.raises(AssertionError, match="fused"):
        steps.compare_layers(layers, others)
