"""Where the pixels of a layer lie in the world, and where those of its fusion must lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.stack_views import StackView

_NEARLY = 1e-9


@dataclass(frozen=True)
class AxisPlace:
    """Where the pixels along one dimension of a layer lie.

    Attributes
    ----------
    size_um : float or None
        Distance of neighbours in µm; None where the layer states no unit of length.
    start_um : float
        World position of the first in µm; 0 where there is no unit.
    falls : bool
        Whether the world coordinate falls along the dimension.
    scale_hint : float or None
        The distance in whatever the layer counts, where it is not 1 and has no unit.
    """

    size_um: float | None
    start_um: float
    falls: bool
    scale_hint: float | None


def place_of_axis(layer: Image, axis: int | None) -> AxisPlace:
    """Say where the pixels along a dimension lie, whatever scale, affine and units say it.

    Parameters
    ----------
    layer : napari.layers.Image
        Its scale, rotation, shear, translation, affine and units count.
    axis : int or None
        Dimension of the layer; None for one that it does not have.
    """
    if axis is None:
        return AxisPlace(None, 0.0, False, None)
    origin, columns = _data_to_world(layer)
    column = columns[:, axis]
    length = float(np.linalg.norm(column))
    falls = bool(column[axis] < 0)
    um = um_of_unit(layer.units[axis])
    mixed = np.abs(np.delete(column, axis)).max(initial=0) > _NEARLY * length
    if mixed and any(um_of_unit(unit) != um for unit in layer.units):
        um = None
    if um is None or length == 0:
        return AxisPlace(None, 0.0, falls, None if abs(length - 1) < _NEARLY else length)
    return AxisPlace(_rounded(length * um), _rounded(float(origin[axis]) * um), falls, None)


def um_of_unit(unit: Any) -> float | None:
    """Length of a unit of pint in µm, None if it is no unit of length (such as a pixel)."""
    length = 1 * unit
    if not length.check("[length]"):
        return None
    return _rounded(float(length.to("micrometer").magnitude))


def result_transform(
    view: StackView, *, has_time: bool | None = None, first: tuple[int, int, int] = (0, 0, 0)
) -> dict[str, Any]:
    """Say how result layers are placed so that they lie exactly over the source.

    A result has the dimensions Y and X where these are the last of the source, and no time.
    Otherwise it keeps all dimensions of the source, in their order, because napari counts
    dimensions from the last; those that a fusion takes away have length 1 and reach through the
    whole stack, so that the result is seen at every slice.

    Parameters
    ----------
    view : StackView
        What was fused.
    has_time : bool, optional
        Whether the result has a T axis; as the source where left out.
    first : tuple of int
        Time point, row and column of the source at which the result begins.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``units`` and ``axis_labels``, and ``rotate``, ``shear`` and
        ``affine`` where the source has them: keyword arguments of `viewer.add_image`.
    """
    layer, letters = view.layers[0], view.axes.letters
    has_time = view.n_times > 1 if has_time is None else has_time
    kept = _kept_dimensions(view, has_time)
    shape = _shape(layer)
    scale = np.array(layer.scale, np.float64)
    corner = np.zeros(layer.ndim)
    begins = dict(zip("TYX", first, strict=True))
    for axis, letter in enumerate(letters):
        if letter in ("Y", "X") or (letter == "T" and has_time):
            corner[axis] = begins[letter]
        else:
            scale[axis] *= shape[axis]
            corner[axis] = (shape[axis] - 1) / 2
    affine = np.asarray(layer.affine.affine_matrix, np.float64)
    origin, columns = _data_to_world(layer)
    at_world = np.append(origin + columns @ corner, 1.0)
    translate = np.linalg.solve(affine, at_world)[:-1]
    inner = np.ix_(kept, kept)
    transform: dict[str, Any] = {
        "scale": tuple(float(scale[axis]) for axis in kept),
        "translate": tuple(float(translate[axis]) for axis in kept),
        "units": tuple(layer.units[axis] for axis in kept),
        "axis_labels": tuple(letters[axis].lower() or layer.axis_labels[axis] for axis in kept),
    }
    for name, matrix in (("rotate", np.asarray(layer.rotate)), ("shear", _shear(layer))):
        if not np.allclose(matrix, np.eye(layer.ndim)):
            transform[name] = matrix[inner]
    if not np.allclose(affine, np.eye(layer.ndim + 1)):
        rows = [*kept, layer.ndim]
        transform["affine"] = affine[np.ix_(rows, rows)]
    return transform


def shown_array(
    view: StackView, array: NDArray[Any], *, has_time: bool | None = None
) -> NDArray[Any]:
    """Arrange a result's array as `result_transform` places it.

    Parameters
    ----------
    view : StackView
        What was fused.
    array : ndarray or dask.array.Array
        Axes (T)YX, or (T)YXS with colour samples; at any pyramid level.
    has_time : bool, optional
        Whether the array has a T axis; as the source where left out.

    Returns
    -------
    ndarray or dask.array.Array
        A view of the array, never a copy: what is written to the array is seen.
    """
    has_time = view.n_times > 1 if has_time is None else has_time
    letters = view.axes.letters
    kept = _kept_dimensions(view, has_time)
    own = "TYX" if has_time else "YX"
    order = [own.index(letters[axis]) for axis in kept if letters[axis] in own]
    extra = range(len(own), array.ndim)
    place = tuple(slice(None) if letters[axis] in tuple(own) else None for axis in kept)
    return array.transpose((*order, *extra))[place]


def _kept_dimensions(view: StackView, has_time: bool) -> list[int]:
    """Return the dimensions of the source that a result layer has."""
    ndim, letters = view.layer.ndim, view.axes.letters
    if has_time or set(letters[-2:]) != {"Y", "X"}:
        return list(range(ndim))
    # Tilted against the slices, the plane of Y and X cannot be placed on its own.
    outer, inner = list(range(ndim - 2)), [ndim - 2, ndim - 1]
    _, columns = _data_to_world(view.layers[0])
    affine = np.asarray(view.layers[0].affine.affine_matrix)[:-1, :-1]
    for matrix in (columns, affine):
        across = (matrix[np.ix_(outer, inner)], matrix[np.ix_(inner, outer)])
        if any(np.abs(part).max(initial=0) > _NEARLY * np.abs(matrix).max() for part in across):
            return list(range(ndim))
    return inner


def _data_to_world(layer: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the world position of the first pixel, and as columns the steps to its neighbours."""
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)), np.float64)
    ends = [np.asarray(layer.data_to_world(unit)) for unit in np.eye(layer.ndim)]
    return origin, np.stack(ends, axis=1) - origin[:, None]


def _shear(layer: Image) -> NDArray[np.float64]:
    """Shear as a matrix; napari gives only its upper triangle where it has no other."""
    shear = np.asarray(layer.shear, np.float64)
    if shear.ndim == 2:
        return shear
    matrix = np.eye(layer.ndim)
    matrix[np.triu_indices(layer.ndim, 1)] = shear
    return matrix


def _shape(layer: Image) -> tuple[int, ...]:
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(length) for length in data.shape[: layer.ndim])


def _rounded(value: float) -> float:
    """Drop what conversion between units adds in the last digits."""
    return float(f"{value:.12g}")
