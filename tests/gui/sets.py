"""A small stack, its fusion and their layers in a viewer, as the fusion widget leaves them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_gmff import FocusStack, FuseParams, iter_fuse
from napari_gmff._napari.layers.layer_stacks import understood
from napari_gmff._napari.layers.result_layers import add_result_layers
from napari_gmff._napari.layers.result_sets import ResultSet, result_sets
from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack
from napari_gmff.live_images import LiveImages
from napari_gmff.params import CLASSICAL_ENGINE
from tests.stacks import stack_of, textured

VOXEL_UM = (2.0, 0.5, 0.5)
"""Z, Y, X of the stack that `fused_set` makes."""


def fused_set(
    viewer: ViewerModel,
    stack: FocusStack | None = None,
    *,
    z_positions_um: list[float] | None = None,
    with_source: bool = True,
    **options: Any,
) -> ResultSet:
    """Fuse a stack and add the layers of source and result.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layers, with or without a window.
    stack : FocusStack, optional
        What to fuse; by default 4 slices of 96 × 128 px, each sharp in a quarter of the width.
    z_positions_um : list of float, optional
        Positions of the slices in place of the stack's own, such as falling ones.
    with_source : bool
        Add layers of the stack too.
    **options
        Fields of `FuseParams`; the engine is the classical one where nothing is said.

    Returns
    -------
    ResultSet
        Registered with the viewer; closed when its layers are removed.
    """
    if stack is None:
        stack = stack_of(textured((4, 96, 128)), voxel_size_um=VOXEL_UM)
    stack = replace(stack, name="relief")
    if z_positions_um is not None:
        stack = replace(stack, z_positions_um=np.asarray(z_positions_um, np.float64))
    params = FuseParams(**{"engine": CLASSICAL_ENGINE, **options})
    sources = add_source_layers(viewer, stack) if with_source else []
    view = understood(sources[0], viewer.layers) if sources else None
    made = _fused(stack, params)
    made.source_layers.extend(sources)
    region = params.region or ((0, 0), (0, 0))
    made.layers = add_result_layers(
        viewer,
        made.images,
        made.result.geometry,
        made.result.provenance,
        made.name,
        view=view,
        first=(0, region[0][0], region[1][0]),
        set_id=made.set_id,
    )
    result_sets(viewer).add(made)
    return made


def add_source_layers(viewer: ViewerModel, stack: FocusStack) -> list[Image]:
    """Add one layer for each channel of a stack, or one for colours, as the reader does."""
    layers = layers_of_stack(StackSource(stack))
    return [viewer.add_image(data, **kwargs) for data, kwargs, _ in layers]


def _fused(stack: FocusStack, params: FuseParams) -> ResultSet:
    images: LiveImages | None = None
    run = iter_fuse(stack, params=params)
    while True:
        try:
            progress = next(run)
        except StopIteration as finished:
            assert images is not None
            return ResultSet(stack.name, stack, params, finished.value, images)
        if progress.images is not None:
            images = LiveImages(progress.images.values())
        if progress.window is not None:
            assert images is not None
            for name, block in progress.window.blocks.items():
                images.put(name, progress.window.time, progress.window.place, block)
