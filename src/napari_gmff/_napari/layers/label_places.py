"""Arrays of a result in the dimensions of its layers, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray


def arranged(labels: NDArray[Any], over: Image) -> NDArray[Any]:
    """Arrange labels (T)YX as the dimensions of a result layer; a view, never a copy."""
    return arranged_image(labels, over, own="tyx"[-labels.ndim :])


def arranged_image(array: Any, over: Layer, own: str) -> Any:
    """Arrange an image as the dimensions of a result layer.

    Parameters
    ----------
    array : ndarray or dask.array.Array
        Axes as in `own`, and colour samples after them.
    over : napari.layers.Layer
        Of the result, without colour samples among its dimensions.
    own : {"yx", "tyx"}
        Axes of the array.

    Returns
    -------
    ndarray or dask.array.Array
        A view, never a copy; dimensions that the array does not have have length 1.
    """
    names = axis_names(over)
    order = [own.index(name) for name in names if name in own]
    place = tuple(slice(None) if name in own else np.newaxis for name in names)
    return array.transpose((*order, *range(len(own), array.ndim)))[place]


def labels_of(layer: Labels, ndim: int) -> NDArray[Any]:
    """Return what a layer holds as (T)YX, a view: the reverse of `arranged`."""
    own = "tyx"[-ndim:]
    names = axis_names(layer)
    data = layer.data[tuple(slice(None) if name in own else 0 for name in names)]
    kept = [name for name in names if name in own]
    arranged_back: NDArray[Any] = data.transpose([kept.index(name) for name in own])
    return arranged_back


def axis_names(layer: Layer) -> list[str]:
    """Return the axis of each dimension of a result layer, of t, z, y and x."""
    names = list(layer.axis_labels)
    if "y" in names and "x" in names:
        return names
    return ["t", "z", "y", "x"][-layer.ndim :]
