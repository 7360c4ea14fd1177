"""Layers as focus stacks: the stack that a layer stands for, whoever opened it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_gmff._napari.layers.layer_places import (
    AxisPlace,
    place_of_axis,
    result_transform,
    shown_array,
)
from napari_gmff._napari.layers.one_choice import is_generated
from napari_gmff._napari.layers.stack_views import StackView, finest, is_image, understood
from napari_gmff.errors import SourceError
from napari_gmff.reading.arrays import OrderedArray, as_dask, ordered
from napari_gmff.reading.axes import AxisPlan
from napari_gmff.reading.generated import with_mark
from napari_gmff.reading.planes import evenly
from napari_gmff.reading.stack import FocusStack

if TYPE_CHECKING:
    import dask.array as da

__all__ = [
    "StackView",
    "finest",
    "is_image",
    "result_transform",
    "shown_array",
    "stack_of",
    "understood",
]


def stack_of(view: StackView, z_step_um: float | None = None) -> FocusStack:
    """Return the stack that a layer stands for; no pixel is read.

    Parameters
    ----------
    view : StackView
        As `understood` gives it.
    z_step_um : float, optional
        Distance between slices in µm that the user enters, in place of what is known.

    Returns
    -------
    FocusStack
        The reader's own where the layer still shows what was read, with the position of every
        slice; else one of the layer's data, scale and units. Files stay open until its `close`.

    Raises
    ------
    SourceError
        With the first of the view's problems, if there is one.
    """
    if view.problems:
        raise SourceError(f"{view.name}: {view.problems[0]}")
    stack = view.source.lend() if view.source is not None else _stack_of_data(view)
    if stack.voxel_size_um != view.voxel_size_um:
        stack = _as_placed(stack, view)
    return stack if z_step_um is None else _with_step(stack, z_step_um)


def _stack_of_data(view: StackView) -> FocusStack:
    """Make a stack of the arrays of layers, in whatever order their axes are."""
    import dask.array as da

    samples = ("S",) if view.layers[0].rgb else ()
    plan = AxisPlan((*view.axes.letters, *samples))
    arrays = [_lazy(finest(layer), plan, layer.name) for layer in view.layers]
    data = arrays[0] if len(arrays) == 1 else da.concatenate(arrays, axis=1)
    letters = "".join(letter or "-" for letter in plan.letters)
    stack = FocusStack(data=data, name=view.name, metadata={"reader": "napari", "axes": letters})
    return with_mark(stack) if any(map(is_generated, view.layers)) else stack


def _lazy(array: Any, plan: AxisPlan, name: str) -> da.Array:
    import dask.array as da

    if isinstance(array, da.Array):
        return ordered(array, plan)
    return as_dask(OrderedArray(array, plan, name))


def _as_placed(stack: FocusStack, view: StackView) -> FocusStack:
    """Give a stack the voxel size and the place of its layer."""
    places = {letter: place_of_axis(view.layer, view.axes.index(letter)) for letter in "ZYX"}
    z_um = view.voxel_size_um[0]
    positions = stack.z_positions_um
    if z_um != stack.voxel_size_um[0]:
        positions = None if z_um is None else _positions(stack.n_slices, z_um, places["Z"])
    return replace(
        stack,
        voxel_size_um=view.voxel_size_um,
        z_positions_um=positions,
        origin_yx_um=(places["Y"].start_um, places["X"].start_um),
    )


def _positions(n_slices: int, z_um: float, place: AxisPlace) -> Any:
    return evenly(n_slices, -z_um if place.falls else z_um, place.start_um)


def _with_step(stack: FocusStack, z_step_um: float) -> FocusStack:
    """Space the slices evenly; their direction and first position stay as they are known."""
    _, y_um, x_um = stack.voxel_size_um
    known = stack.z_positions_um
    start_um = 0.0 if known is None else float(known[0])
    falls = known is not None and known[-1] < known[0]
    positions = evenly(stack.n_slices, -z_step_um if falls else z_step_um, start_um)
    return replace(stack, voxel_size_um=(z_step_um, y_um, x_um), z_positions_um=positions)
