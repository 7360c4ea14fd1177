"""Where heights and lines lie in the world of the viewer, from the place of a result layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SurfacePlace:
    """How the vertices (z, y, x) of a `Surface` become world positions.

    Attributes
    ----------
    axes : ndarray, (3, 3)
        World vectors, as columns, of one unit of z, y and x.
    origin : ndarray, (3,)
        World position of the first pixel at height 0.
    unit : str
        Unit of all three dimensions.
    """

    axes: NDArray[np.float64]
    origin: NDArray[np.float64]
    unit: str

    def affine(self, exaggeration: float, lowest: float) -> NDArray[np.float64]:
        """Return the affine of the layer, (4, 4); the lowest height stays where it is."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes * [exaggeration, 1, 1]
        matrix[:3, 3] = self.origin + self.axes[:, 0] * lowest * (1 - exaggeration)
        return matrix


def surface_place(layer: Layer, pixel_size: Sequence[float | None]) -> SurfacePlace:
    """Place a surface so that it lies over the pixels of a layer, in true proportions.

    Parameters
    ----------
    layer : napari.layers.Layer
        A layer of the result.
    pixel_size : sequence of (float or None)
        Size (y, x) of a pixel in the units of the vertices; 1 where unknown.

    Raises
    ------
    ParameterError
        If the layer's image is not spread over the last three dimensions of the viewer.
    """
    rows, columns = row_and_column_axes(layer)
    origin, steps = _data_to_world(layer)
    across = steps[:, [rows, columns]]
    labels = list(layer.axis_labels)
    spread = [rows, columns, *([labels.index("z")] if "z" in labels else [])]
    if np.abs(steps[:-3, spread]).max(initial=0) > 0:
        raise ParameterError(
            f"{layer.name}: its image must lie in the last three dimensions of the viewer to be "
            "shown in 3D; put time before the axes Z, Y and X of the source"
        )
    sizes = np.array([size or 1.0 for size in pixel_size])
    across = _last_three(across) / sizes
    lengths = np.linalg.norm(across, axis=0)
    up = _up(layer, steps)
    corner = _last_three(origin[:, None])[:, 0]
    # Depth counts from the world's own zero, so the layer's place along z must not count twice.
    corner = corner - up * (up @ corner)
    axes = np.column_stack([up * np.sqrt(lengths.prod()), across])
    return SurfacePlace(axes, corner, str(layer.units[columns]))


def line_place(layer: Layer) -> tuple[dict[str, Any], tuple[int, int]]:
    """Say how a layer of lines is placed so that its points are rows and columns of a layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        A layer of the result.

    Returns
    -------
    kwargs : dict
        ``ndim``, ``affine``, ``units`` and ``axis_labels`` for `viewer.add_shapes`.
    axes : tuple of int
        Which numbers of a point are its row and column.
    """
    rows, columns = row_and_column_axes(layer)
    kept = list(range(layer.ndim))
    if (rows, columns) == (layer.ndim - 2, layer.ndim - 1):
        # Without other dimensions a line is seen at every slice and time point.
        kept = kept[-2:]
    origin, steps = _data_to_world(layer)
    affine = np.eye(len(kept) + 1)
    affine[:-1, :-1] = steps[np.ix_(kept, kept)]
    affine[:-1, -1] = origin[kept]
    kwargs = {
        "ndim": len(kept),
        "affine": affine,
        "units": tuple(layer.units[axis] for axis in kept),
        "axis_labels": tuple(layer.axis_labels[axis] for axis in kept),
    }
    return kwargs, (kept.index(rows), kept.index(columns))


def row_and_column_axes(layer: Layer) -> tuple[int, int]:
    """Return which dimensions of a result layer are Y and X; where Z comes last, not the last."""
    labels = list(layer.axis_labels)
    if "y" in labels and "x" in labels:
        return labels.index("y"), labels.index("x")
    return layer.ndim - 2, layer.ndim - 1


def _up(layer: Layer, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector along which the world's z rises."""
    labels = list(layer.axis_labels)
    if "z" not in labels:
        return np.array([1.0, 0.0, 0.0])
    axis = labels.index("z")
    step = _last_three(steps[:, [axis]])[:, 0]
    return step / np.linalg.norm(step) * (1.0 if steps[axis, axis] >= 0 else -1.0)


def _data_to_world(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the world position of the first pixel, and as columns the steps to its neighbours."""
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)), np.float64)
    ends = [np.asarray(layer.data_to_world(unit)) for unit in np.eye(layer.ndim)]
    return origin, np.stack(ends, axis=1) - origin[:, None]


def _last_three(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return columns with exactly three numbers, as the last dimensions of the viewer."""
    missing = max(0, 3 - len(vectors))
    return np.pad(vectors, ((missing, 0), (0, 0)))[-3:]
