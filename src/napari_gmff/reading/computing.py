"""Reading lazy arrays beside other threads that do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def computed(lazy: Any, **options: Any) -> NDArray[Any]:
    """Read an array, lazy or not, without the callbacks that the program has set for dask.

    napari keeps a cache of what dask computes, which is such a callback. It is not made for several
    threads: it fails with a `KeyError`, in either of them, where a worker reads a stack while
    layers of it are drawn. It would also fill with windows that nobody looks at.

    Parameters
    ----------
    lazy : dask array or array-like
        What is read; anything but a dask array is taken as it is.
    **options
        For ``compute`` of dask, such as the scheduler.

    Returns
    -------
    ndarray
        Of the same shape and type.
    """
    if hasattr(lazy, "__dask_graph__"):
        lazy = lazy.compute(callbacks=(), **options)
    return np.asarray(lazy)
