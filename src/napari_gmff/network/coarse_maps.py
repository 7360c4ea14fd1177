"""Storage for coarse maps: memory while they fit, a scratch file when a stack is long."""

from __future__ import annotations

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
    if 4 * np.prod(shape, dtype=np.int64) <= memory_limit_mb << 20:
        yield np.empty(shape, np.float32)
        return
    with tempfile.TemporaryDirectory(prefix="napari-gmff-", ignore_cleanup_errors=True) as folder:
        maps = np.memmap(Path(folder) / "coarse.f32", np.float32, "w+", shape=shape)
        try:
            yield maps
        finally:
            # Windows cannot delete a file that is still mapped.
            maps._mmap.close()  # type: ignore[attr-defined]
