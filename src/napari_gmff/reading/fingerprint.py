"""A short identity of a stack: what was fused, without reading all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

PATCH_PX = 16
"""Side of the square patches that are hashed."""

MOST_PLANES = 32
"""At most this many planes are sampled, evenly over all of them."""


def fingerprint_of(data: da.Array, metadata: Mapping[str, object]) -> str:
    """Hash the shape, pixel type, metadata and pixels at positions fixed by the shape alone.

    Parameters
    ----------
    data : dask.array.Array
        Axes (T, C, Z, Y, X) or (T, C, Z, Y, X, S). Its chunks do not matter.
    metadata : mapping
        JSON-ready description of the acquisition, without paths.

    Returns
    -------
    str
        Sha256 in hexadecimal.
    """
    import dask

    header = {
        "shape": list(map(int, data.shape)),
        "dtype": np.dtype(data.dtype).newbyteorder("=").name,
        "metadata": metadata,
    }
    digest = hashlib.sha256(json.dumps(header, sort_keys=True, default=str).encode())
    patches: tuple[NDArray[np.generic], ...] = dask.compute(
        *(data[place] for place in sample_places(data.shape)), callbacks=()
    )
    for patch in patches:
        values = np.ascontiguousarray(patch)
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def sample_places(shape: tuple[int, ...]) -> list[tuple[int | slice, ...]]:
    """Positions that the fingerprint reads: up to 5 patches in each of up to 32 planes.

    Parameters
    ----------
    shape : tuple of int
        (T, C, Z, Y, X[, S]).

    Returns
    -------
    list of tuple
        Indices (t, c, z, rows, columns) of each patch.
    """
    outer = shape[:3]
    n_planes = int(np.prod(outer))
    picked = np.unique(np.linspace(0, n_planes - 1, min(n_planes, MOST_PLANES)).astype(int))
    height, width = shape[3:5]
    middles = [(0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]
    corners = dict.fromkeys((_start(height, y), _start(width, x)) for y, x in middles)
    return [
        (
            *(int(index) for index in np.unravel_index(plane, outer)),
            slice(y, min(height, y + PATCH_PX)),
            slice(x, min(width, x + PATCH_PX)),
        )
        for plane in picked
        for y, x in corners
    ]


def _start(length: int, fraction: float) -> int:
    return max(0, int((length - PATCH_PX) * fraction))
