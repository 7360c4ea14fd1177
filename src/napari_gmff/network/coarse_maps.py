"""Storage for coarse maps: memory while they fit, a scratch file when a stack is long."""

from __future__ import annotations

import math
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class CoarseMaps(Protocol):
    """Where the maps of a window are kept between the two passes."""

    def __setitem__(self, slice_index: int, value: NDArray[np.float32], /) -> None:
        """Keep a map of shape (H/4, W/4, 24)."""

    def __getitem__(self, slice_index: int, /) -> NDArray[np.float32]:
        """Return a kept map (H/4, W/4, 24)."""


@contextmanager
def coarse_maps(shape: tuple[int, int, int, int], memory_limit_mb: int) -> Iterator[CoarseMaps]:
    """Give room for the coarse maps of one window, gone at the end.

    Parameters
    ----------
    shape : tuple of int
        (N, H/4, W/4, channels).
    memory_limit_mb : int
        Larger maps are kept in a scratch file; the values are the same.

    Raises
    ------
    OSError
        If the scratch file cannot be written.
    """
    n_bytes = 4 * math.prod(shape)
    if n_bytes <= memory_limit_mb << 20:
        yield np.empty(shape, np.float32)
        return
    with tempfile.TemporaryDirectory(prefix="napari-gmff-", ignore_cleanup_errors=True) as folder:
        yield MapsInFile(Path(folder) / "coarse.f32", shape)


class MapsInFile:
    """Coarse maps in a file, mapped one at a time: a map kept open counts as memory used.

    Parameters
    ----------
    path : Path
        File to make.
    shape : tuple of int
        (N, H/4, W/4, channels).
    """

    def __init__(self, path: Path, shape: tuple[int, int, int, int]) -> None:
        self._path = path
        self._shape = shape[1:]
        with path.open("wb") as file:
            # A sparse file would kill the process where the disk turns out to be full.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, 4 * math.prod(shape))
            else:
                file.truncate(4 * math.prod(shape))

    def __setitem__(self, slice_index: int, value: NDArray[np.float32], /) -> None:
        """Write a map."""
        self[slice_index][:] = value

    def __getitem__(self, slice_index: int, /) -> NDArray[np.float32]:
        """Map one slice's part of the file; what is not touched is not read."""
        start = 4 * slice_index * math.prod(self._shape)
        return np.memmap(self._path, np.float32, "r+", start, self._shape)
