"""What a layer is understood to be as a focus stack, told from its metadata alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.layers.layer_axes import LayerAxes, axes_of
from napari_gmff._napari.layers.layer_places import place_of_axis, um_of_unit
from napari_gmff._napari.layers.stack_layers import placement_of, shown_axes, source_of
from napari_gmff.reading.axes import TAKEN_AS_Z
from napari_gmff.reading.stack import SUPPORTED_DTYPES

if TYPE_CHECKING:
    from napari.layers import Image, Layer

    from napari_gmff._napari.layers.stack_layers import StackSource


@dataclass(frozen=True, eq=False)
class StackView:
    """What a layer is understood to be, from its metadata alone.

    Attributes
    ----------
    layer : napari.layers.Layer
        The layer that was picked.
    layers : tuple of napari.layers.Image
        The layers that show the stack, one for each channel: all that share the picked layer's
        source, or the picked layer alone.
    axes : LayerAxes
        Meaning of the dimensions of the layer; ``axes.is_certain`` is False where Z is a guess.
    name : str
        Of the stack: the layer's without the channel.
    n_slices, n_times, n_channels : int
        Lengths of the axes; colour samples are not channels.
    shape_yx : tuple of int
        Height and width in pixels.
    dtype : numpy.dtype
        Pixel type.
    voxel_size_um : tuple of (float or None)
        Size (z, y, x) in µm; None where neither the file nor the layer says.
    scale_hint : float or None
        Scale along Z of a layer that states no unit, which may be the step in µm.
    problems : tuple of str
        What stops a fusion, each a full sentence; empty where nothing does.
    notes : tuple of str
        What had to be assumed.
    source : StackSource or None
        Where the stack was read from, if this program read it and the layer still shows it.
    """

    layer: Layer
    layers: tuple[Image, ...]
    axes: LayerAxes
    name: str
    n_slices: int
    n_times: int
    n_channels: int
    shape_yx: tuple[int, int]
    dtype: np.dtype[Any]
    voxel_size_um: tuple[float | None, float | None, float | None]
    scale_hint: float | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    source: StackSource | None

    @property
    def unknown_step(self) -> bool:
        """Whether the distance between slices is unknown, so that depth would be in slices."""
        return self.voxel_size_um[0] is None

    @property
    def is_certain(self) -> bool:
        """Whether the layer, its file or the user says which axis is Z."""
        return self.axes.is_certain


def is_image(layer: Layer | None) -> bool:
    """Whether a layer is an image, of whatever dimensions."""
    from napari.layers import Image

    return isinstance(layer, Image)


def understood(
    layer: Layer,
    viewer_layers: Iterable[Layer] = (),
    z_axis: int | None = None,
    *,
    displayed: Sequence[int] = (),
) -> StackView:
    """Say what a layer is as a focus stack; no pixel and no file is read.

    Parameters
    ----------
    layer : napari.layers.Layer
        Any layer, opened by anyone: numpy, dask, zarr or multiscale data, RGB(A), transposed.
    viewer_layers : iterable of napari.layers.Layer
        Where to look for the other channels of the same stack.
    z_axis : int, optional
        The dimension of the layer that the user says is Z.
    displayed : sequence of int
        Dimensions of the layer that are seen on the canvas, which are Y and X where labels do
        not say; the last two where left out.

    Returns
    -------
    StackView
        With `problems` where the layer is none that can be fused.
    """
    if not is_image(layer):
        return _no_image(layer)
    array = finest(layer)
    shape = tuple(int(length) for length in array.shape[: layer.ndim])
    axes = axes_of(shape, layer.axis_labels, z_axis=z_axis, displayed=displayed)
    source = _source_shown(layer, axes)
    if z_axis is None and source is not None and _is_assumed(source):
        axes = replace(axes, is_certain=False)
    layers = _channels_of(layer, viewer_layers)
    lengths = {letter: shape[axis] for axis, letter in enumerate(axes.letters) if letter}
    dtype = np.dtype(array.dtype)
    z_place = place_of_axis(layer, axes.index("Z"))
    return StackView(
        layer=layer,
        layers=layers,
        axes=axes,
        name=_name(layer),
        n_slices=lengths.get("Z", 1),
        n_times=lengths.get("T", 1),
        n_channels=source.stack.n_channels if source else lengths.get("C", 1) * len(layers),
        shape_yx=(lengths.get("Y", 1), lengths.get("X", 1)),
        dtype=dtype,
        voxel_size_um=_voxel_size(layer, axes, source),
        scale_hint=z_place.scale_hint,
        problems=_problems(axes, shape, dtype),
        notes=_notes(axes, source),
        source=source,
    )


def finest(layer: Image) -> Any:
    """Return the array of a layer, of full resolution where it has several."""
    return layer.data[0] if layer.multiscale else layer.data


def _no_image(layer: Layer) -> StackView:
    axes = LayerAxes(("",) * layer.ndim, False, ())
    problem = f"{layer.name} is no image layer; a focus stack is an image with a Z axis."
    unknown = (None, None, None)
    return StackView(
        layer, (), axes, layer.name, 1, 1, 1, (1, 1), np.dtype(np.uint8), unknown, None,
        (problem,), (), None,
    )  # fmt: skip


def _source_shown(layer: Image, axes: LayerAxes) -> StackSource | None:
    """Return what a layer was read from, if it still shows that and is taken as it says."""
    source = source_of(layer.metadata)
    if source is None or getattr(finest(layer), "name", None) not in source.shown:
        return None
    letters = "".join(axes.letters)
    return source if letters == shown_axes(source.stack) else None


def _is_assumed(source: StackSource) -> bool:
    """Whether the file does not say itself which of its axes is Z."""
    return any(TAKEN_AS_Z in note for note in source.stack.notes)


def _channels_of(layer: Image, viewer_layers: Iterable[Layer]) -> tuple[Image, ...]:
    """Return the layers that show channels of the same stack, in the order of the channels."""
    source = source_of(layer.metadata)
    if source is None or getattr(finest(layer), "name", None) not in source.shown:
        return (layer,)
    found: dict[str, Image] = {}
    for other in (layer, *viewer_layers):
        if is_image(other) and source_of(other.metadata) is source:
            name = getattr(finest(other), "name", None)
            if name in source.shown:
                found.setdefault(name, other)
    return tuple(found[name] for name in source.shown if name in found)


def _name(layer: Image) -> str:
    source = source_of(layer.metadata)
    return layer.name if source is None or source.stack.n_channels == 1 else source.name


def _voxel_size(
    layer: Image, axes: LayerAxes, source: StackSource | None
) -> tuple[float | None, float | None, float | None]:
    """Size (z, y, x) in µm: what the file says, or what the user made of the layer since."""
    places = [place_of_axis(layer, axes.index(letter)) for letter in "ZYX"]
    sizes = [place.size_um for place in places]
    if source is not None:
        read = placement_of(source.stack, shown_axes(source.stack))
        for number, letter in enumerate("ZYX"):
            axis = axes.index(letter)
            if axis is None or _is_as_read(layer, axis, read):
                sizes[number] = source.stack.voxel_size_um[number]
    z_um, y_um, x_um = sizes
    return z_um, y_um, x_um


def _is_as_read(layer: Image, axis: int, read: dict[str, Any]) -> bool:
    um = um_of_unit(layer.units[axis])
    same_unit = um == (1.0 if read["units"][axis] == "um" else None)
    return same_unit and bool(np.isclose(layer.scale[axis], read["scale"][axis], rtol=1e-9))


def _problems(axes: LayerAxes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[str, ...]:
    problems = []
    z_axis = axes.index("Z")
    others = " Say which axis is Z." if axes.candidates else ""
    if 0 in shape:
        problems.append("It holds no pixels: one of its axes has length 0.")
    if len(shape) < 3:
        problems.append("It has no Z axis; a focus stack holds several slices.")
    elif z_axis is None:
        problems.append(f"It has no Z axis of 2 or more slices.{others}")
    elif shape[z_axis] == 1:
        problems.append(f"It has only 1 slice.{others}")
    if axes.leftover:
        problems.append(
            f"It has {axes.leftover} more axes than T, C, Z, Y and X; pick one place on each of "
            "them first."
        )
    if dtype.name not in SUPPORTED_DTYPES:
        problems.append(
            f"Its pixels are {dtype.name}; only {', '.join(SUPPORTED_DTYPES)} are fused, so "
            "convert it first."
        )
    return tuple(problems)


def _notes(axes: LayerAxes, source: StackSource | None) -> tuple[str, ...]:
    if source is not None:
        return source.notes
    if axes.z_axis is None or axes.is_certain:
        return ()
    return ("The layer does not say which axis is Z; check the choice.",)
