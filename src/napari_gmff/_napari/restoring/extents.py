"""How much is restored: the part that a preview shows, and the time for all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.estimate import words_for_seconds
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff._napari.restoring.restoration_parts import RestorationParts
    from napari_gmff.restoration.params import RestoreParams

PREVIEW_PX = 512
"""Longest side of a preview: what the model was made for."""


def preview_box(params: RestoreParams, visible: Box) -> Box:
    """Return the part of the image that a preview restores.

    Parameters
    ----------
    params : RestoreParams
        Its region, if any, is cut to size.
    visible : Box
        What is in view.
    """
    if params.region is not None:
        (y0, y1), (x0, x1) = params.region
        visible = Box(y0, y1, x0, x1)
    sides = []
    for start, stop in ((visible.y0, visible.y1), (visible.x0, visible.x1)):
        spare = max(stop - start - PREVIEW_PX, 0)
        sides += [start + spare // 2, stop - (spare - spare // 2)]
    return Box(*sides)


def estimate_in_words(
    parts: RestorationParts, params: RestoreParams, mask: NDArray[np.bool_], n_groups: int
) -> str:
    """Say how long a restoration would take; for a thread.

    Parameters
    ----------
    parts : RestorationParts
        Knows how fast the processor is.
    params : RestoreParams
        Of the restoration.
    mask : ndarray
        Axes (T)YX.
    n_groups : int
        Images that the model is given of each time point.

    Returns
    -------
    str
        Empty where nothing is restored.

    Raises
    ------
    DeviceError
        If there is no processor for it.
    """
    planes = mask.reshape(-1, *mask.shape[-2:])
    if params.time is not None:
        planes = planes[slice(*params.time)]
    if params.region is not None:
        inside = np.zeros_like(planes)
        part = (slice(None), *(slice(*bounds) for bounds in params.region))
        inside[part] = planes[part]
        planes = inside
    seconds = parts.estimate_s(params, list(planes), n_groups)
    return f"Takes {words_for_seconds(seconds)}." if seconds else ""
