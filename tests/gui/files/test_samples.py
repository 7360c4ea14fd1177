"""Sample data: quick, without network or torch, with a truth that fusing finds."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_gmff import fuse
from napari_gmff._napari.files.samples import TRUTH_KEY
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff.params import CLASSICAL_ENGINE

PLUGIN = "napari-gmff"
SECONDS = 5.0


@pytest.fixture
def viewer():
    PluginManager.instance().discover()
    return ViewerModel()


@pytest.mark.parametrize(
    ("key", "names", "dtype"),
    [
        ("relief", ["relief"], "uint8"),
        ("fluorescence", ["epithelium nuclei", "epithelium membranes"], "uint16"),
    ],
)
def test_a_sample_opens_in_time_as_a_stack_that_can_be_fused(viewer, key, names, dtype):
    started = time.process_time()
    layers = viewer.open_sample(PLUGIN, key)
    # Processor time: what else runs on the machine of a test is not the sample's fault.
    assert time.process_time() - started < SECONDS
    assert [layer.name for layer in layers] == names
    view = understood(layers[0], viewer.layers)
    assert view.problems == ()
    assert view.n_slices == 12
    assert view.dtype == np.dtype(dtype)
    assert None not in view.voxel_size_um
    assert len(view.layers) == len(names)


def test_the_relief_is_in_colour(viewer):
    (layer,) = viewer.open_sample(PLUGIN, "relief")
    assert layer.rgb


@pytest.mark.parametrize(("key", "least"), [("relief", 0.85), ("fluorescence", 0.7)])
def test_fusing_a_sample_finds_its_truth(viewer, key, least):
    layers = viewer.open_sample(PLUGIN, key)
    truth = layers[0].metadata[TRUTH_KEY]
    stack = stack_of(understood(layers[0], viewer.layers))
    with fuse(stack, engine=CLASSICAL_ENGINE) as result:
        depth_um = result.depth.compute()
    step_um = stack.voxel_size_um[0]
    right = np.abs(depth_um - truth["depth_um"])[truth["known"]] <= step_um
    assert right.mean() > least


def test_a_sample_is_the_same_each_time(viewer):
    first = viewer.open_sample(PLUGIN, "fluorescence")[1]
    second = viewer.open_sample(PLUGIN, "fluorescence")[1]
    np.testing.assert_array_equal(np.asarray(first.data[3]), np.asarray(second.data[3]))


def test_samples_need_neither_torch_nor_network():
    program = (
        "import socket, sys;"
        "socket.socket.connect = None;"
        "from napari_gmff._napari.files import samples;"
        "samples.fluorescence();"
        "assert 'torch' not in sys.modules, 'torch was loaded'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
