"""Layers for tests: some that must not be read, some as the reader makes them."""

from __future__ import annotations

import dask.array as da
import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_gmff import FocusStack
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack

UM = ("um", "um", "um")


def unreadable(shape: tuple[int, ...], dtype: str = "uint16") -> da.Array:
    """Return a lazy array that fails when anything of it is computed."""

    def fail(block):
        raise AssertionError("pixels were read")

    zeros = da.zeros(shape, dtype=dtype, chunks=64)
    return zeros.map_blocks(fail, dtype=dtype, meta=np.empty((0,) * len(shape), dtype))


def lazy_layer(shape: tuple[int, ...] = (4, 64, 64), dtype: str = "uint16", **options) -> Image:
    """Return a hidden layer of such an array."""
    return Image(unreadable(shape, dtype), contrast_limits=(0, 1), visible=False, **options)


def read_layers(stack: FocusStack) -> ViewerModel:
    """Return a viewer with the layers that the reader makes of a stack."""
    viewer = ViewerModel()
    for data, kwargs, _ in layers_of_stack(StackSource(stack, "/data/stack.ome.tif")):
        viewer.add_image(data, **kwargs)
    return viewer
