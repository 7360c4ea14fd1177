"""`LiveImages`: the images of a result in memory, filled and corrected while they are shown."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.export.pyramid import (
    halved_by_choice,
    halved_by_mean,
    is_averaged,
    level_shapes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec

MEMORY_BYTES = 2 << 30
"""Results above this lie in scratch files that the system keeps in memory as far as it can."""

Place = tuple[slice, slice]


class LiveImages:
    """Images of a result with their pyramid levels, which a viewer shows while they change.

    A viewer that draws the level that fits the screen is never asked to draw more pixels than
    there are on it, however large the result is. Make it in a worker thread: depth is filled with
    NaN, which takes a while for a large image.

    Parameters
    ----------
    specs : iterable of ImageSpec
        Images to make room for.
    memory_bytes : int
        Above this in total, arrays are scratch files that vanish with this object.

    Attributes
    ----------
    specs : dict of str to ImageSpec
        The images by name.
    """

    def __init__(self, specs: Iterable[ImageSpec], memory_bytes: int = MEMORY_BYTES) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self._folder: Path | None = None
        needed = sum(_bytes_of(spec) for spec in self.specs.values())
        if needed > memory_bytes:
            self._folder = Path(tempfile.mkdtemp(prefix="napari-gmff-shown-"))
            weakref.finalize(self, shutil.rmtree, str(self._folder), ignore_errors=True)
        self._levels = {name: self._empty(spec) for name, spec in self.specs.items()}

    def levels(self, name: str) -> list[NDArray[Any]]:
        """Return an image's pyramid, finest first; axes as in its spec, no copies.

        Raises
        ------
        KeyError
            If there is no such image.
        """
        return list(self._levels[name])

    def put(self, name: str, time: int, place: Place, block: NDArray[Any]) -> None:
        """Write a block of full resolution, and what follows from it at every level.

        Parameters
        ----------
        name : str
            Of the image.
        time : int
            Time point of the result, from 0.
        place : tuple of slice
            Rows and columns, start and stop given.
        block : ndarray
            Axes (C)YX, dtype of the image.
        """
        spec, levels = self.specs[name], self._levels[name]
        views = [level[time] if "t" in spec.axes else level for level in levels]
        rows, columns = place
        views[0][..., rows, columns] = block
        reduce = halved_by_mean if is_averaged(spec) else halved_by_choice
        for fine, coarse in pairwise(views):
            rows, columns = _halved(rows), _halved(columns)
            source = fine[..., _doubled(rows), _doubled(columns)]
            if source.ndim == 2:
                coarse[rows, columns] = reduce(source)
            else:
                for channel, plane in enumerate(source):
                    coarse[channel, rows, columns] = reduce(plane)

    def _empty(self, spec: ImageSpec) -> list[NDArray[Any]]:
        fill = np.nan if spec.kind == "depth" else 0
        leading = spec.shape[:-2]
        arrays = []
        for number, shape_yx in enumerate(level_shapes(spec.shape_yx)):
            array = self._new((*leading, *shape_yx), spec.dtype, f"{spec.name}-{number}.npy")
            if fill:
                array[:] = fill
            arrays.append(array)
        return arrays

    def _new(self, shape: tuple[int, ...], dtype: np.dtype[Any], file: str) -> NDArray[Any]:
        if self._folder is None:
            return np.zeros(shape, dtype)
        return np.lib.format.open_memmap(self._folder / file, "w+", dtype, shape)


def _halved(part: slice) -> slice:
    """Return the pixels of the next level that a span has a share in."""
    return slice(part.start // 2, -(-part.stop // 2))


def _doubled(part: slice) -> slice:
    """Return the pixels of the finer level that a span is made from."""
    return slice(2 * part.start, 2 * part.stop)


def _bytes_of(spec: ImageSpec) -> int:
    pixels = sum(height * width for height, width in level_shapes(spec.shape_yx))
    return math.prod(spec.shape[:-2]) * pixels * spec.dtype.itemsize
