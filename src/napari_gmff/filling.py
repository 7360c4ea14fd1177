"""Fill part of a focus index from what lies around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MEDIAN_PX = 5
"""Side of the median that keeps single wrong pixels round an area from spreading into it."""

_STEPS = 200
"""Enough for creases of a few pixels; what is left is far below a slice."""

_MARGIN_PX = 1 + _MEDIAN_PX // 2


def filled_from_neighbours(
    index: NDArray[Any],
    marked: NDArray[np.bool_],
    slices: Sequence[int],
    z: NDArray[np.float64] | None = None,
) -> NDArray[Any]:
    """Choose the slices of marked areas from the pixels around them.

    Each area is spanned between its surroundings like a film in a frame (harmonic interpolation),
    and the slice nearest to the film is taken, so that a slope goes on through a hole. No area gets
    a slice beyond those around it.

    Parameters
    ----------
    index : ndarray, (Y, X), integer
        Slice number of each pixel.
    marked : ndarray, (Y, X), bool
        Where to fill. What `index` holds there does not matter.
    slices : sequence of int
        Slices that may be chosen.
    z : ndarray, (len(slices),), float64, optional
        Their positions, in any unit and at any spacing. Where left out, neighbouring slices need
        not be neighbours in z, and the nearest pixel decides everywhere.

    Returns
    -------
    ndarray, (Y, X)
        `index` with other values where `marked`; same dtype.

    Raises
    ------
    ParameterError
        If nothing is left unmarked.
    """
    from scipy import ndimage

    if marked.all():
        raise ParameterError("fill from neighbours: some pixels must be left unmarked, got none")
    filled = index.copy()
    areas, _ = ndimage.label(marked, structure=np.ones((3, 3)))
    for number, box in enumerate(ndimage.find_objects(areas), start=1):
        part = _grown(box, index.shape)
        inside = areas[part] == number
        # A neighbouring area knows no more than this one.
        known = ~marked[part]
        filled[part][inside] = _spanned(index[part], inside, known, slices, z)
    return filled


def _spanned(
    index: NDArray[Any],
    inside: NDArray[np.bool_],
    known: NDArray[np.bool_],
    slices: Sequence[int],
    z: NDArray[np.float64] | None,
) -> NDArray[Any]:
    """Return the slice numbers of the pixels of one area."""
    from scipy import ndimage

    nearest_yx = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    calm = ndimage.median_filter(index[tuple(nearest_yx)], _MEDIAN_PX)
    ring = ndimage.binary_dilation(inside, np.ones((3, 3))) & known
    nearest: NDArray[Any] = calm[tuple(nearest_yx[:, inside])]
    if z is None:
        return nearest
    numbers = np.asarray(slices)
    z_of_number = np.zeros(numbers.max() + 1)
    z_of_number[numbers] = z
    start_z = _linear(np.argwhere(ring), z_of_number[calm[ring]], np.argwhere(inside))
    start_z = np.where(np.isnan(start_z), z_of_number[nearest], start_z)
    spanned_z = _film(z_of_number[calm], inside, start_z)
    return numbers[_nearest_position(spanned_z, np.asarray(z, np.float64))]


def _film(
    frame: NDArray[np.float64], inside: NDArray[np.bool_], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Let every pixel inside come near the mean of its four neighbours, from a rough start.

    The start is right over long distances; the steps taken even out its creases.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import cg

    count = len(start)
    number = np.full(np.add(inside.shape, 2), -1)
    number[1:-1, 1:-1][inside] = np.arange(count)
    # Beyond the edge of the image lies nothing that could hold the film.
    exists = np.pad(np.ones(inside.shape, bool), 1)
    values = np.pad(frame, 1)
    at_y, at_x = (one + 1 for one in np.nonzero(inside))
    degree, held = np.zeros(count), np.zeros(count)
    rows, columns = [], []
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = (at_y + dy, at_x + dx)
        degree += exists[beside]
        is_inside = number[beside] >= 0
        held += np.where(is_inside, 0, values[beside] * exists[beside])
        rows.append(np.flatnonzero(is_inside))
        columns.append(number[beside][is_inside])
    row, column = np.concatenate(rows), np.concatenate(columns)
    diagonal = np.arange(count)
    entries = np.concatenate([degree, np.full(len(row), -1.0)])
    places = (np.concatenate([diagonal, row]), np.concatenate([diagonal, column]))
    matrix = coo_array((entries, places), shape=(count, count)).tocsr()
    film, _ = cg(matrix, held, x0=start, maxiter=_STEPS)
    found: NDArray[np.float64] = np.clip(film, start.min(), start.max())
    return found


def _linear(
    points: NDArray[Any], values: NDArray[np.float64], at: NDArray[Any]
) -> NDArray[np.float64]:
    """Interpolate between points (y, x); NaN beyond them, and everywhere if they lie on a line."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    if len(points) < 3:
        return np.full(len(at), np.nan)
    try:
        found: NDArray[np.float64] = LinearNDInterpolator(points, values)(at)
    except QhullError:
        return np.full(len(at), np.nan)
    return found


def _nearest_position(values: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each value the position in `z`, rising or not, of what comes closest to it."""
    order = np.argsort(z)
    borders = (z[order][1:] + z[order][:-1]) / 2
    return order[np.searchsorted(borders, values)]


def _grown(box: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, columns = (
        slice(max(0, part.start - _MARGIN_PX), min(size, part.stop + _MARGIN_PX))
        for part, size in zip(box, shape, strict=True)
    )
    return rows, columns
