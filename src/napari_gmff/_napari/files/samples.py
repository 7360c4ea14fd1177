"""Sample data of napari's File menu."""

from __future__ import annotations

from napari_gmff._napari.files.sample_stacks import SampleStack, fluorescence_sample, relief_sample
from napari_gmff._napari.layers.stack_layers import LayerTuple, StackSource, layers_of_stack

TRUTH_KEY = "gmff_truth"
"""Key of `layer.metadata` with what is true of a sample.

The value is a dict: ``depth_um``, (Y, X) float32, the z of the surface; and ``known``, (Y, X) bool,
where there is something that has a depth.
"""


def brightfield_relief() -> list[LayerTuple]:
    """Return the layer of a seed head in reflected light: RGB, 8 bit."""
    return _layers(relief_sample(), "relief")


def fluorescence() -> list[LayerTuple]:
    """Return the layers of a folded epithelium: nuclei and membranes, 16 bit, noisy."""
    return _layers(fluorescence_sample(), "epithelium")


def _layers(sample: SampleStack, name: str) -> list[LayerTuple]:
    layers = layers_of_stack(StackSource(sample.stack), name)
    for _, kwargs, _ in layers:
        truth = {"depth_um": sample.depth_um, "known": sample.known}
        kwargs["metadata"][TRUTH_KEY] = truth
    return layers
