"""Storage for coarse maps: memory while they fit, a scratch file when a stack is long."""

from __future__ import annotations

import math
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@contextmanager
def coarse_maps(
    shape: tuple[int, int, int, int], memory_limit_mb: int
) -> Iterator[NDArray[np.float32]]:
    """Give an array for the coarse maps of one window, gone at the end.

    Parameters
    ----------
    shape : tuple of int
        (N, H/4, W/4, channels).
    memory_limit_mb : int
        A larger array is kept in a scratch file; the values are the same.

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
        path = Path(folder) / "coarse.f32"
        with path.open("wb") as file:
            # A sparse file would kill the process where the disk turns out to be full.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            else:
                file.truncate(n_bytes)
        maps = np.memmap(path, np.float32, "r+", shape=shape)
        try:
            yield maps
        finally:
            # Windows cannot delete a file that is still mapped.
            maps._mmap.close()  # type: ignore[attr-defined]
