"""Pull a restored image towards what the slices measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.restoration.consistency.blur_ladder import BlurLadder
from napari_gmff.restoration.consistency.blur_map import windows_of
from napari_gmff.restoration.consistency.forward import ForwardWindow

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_gmff.restoration.consistency.blur_map import BlurMap, ReadPart


def iter_back_projection(
    fused: NDArray[np.float32],
    restored: NDArray[np.float32],
    weight: NDArray[np.float32],
    blur: BlurMap,
    read: ReadPart,
) -> Generator[None, None, NDArray[np.float32]]:
    """Do one round: blur to the slices, compare, and add what is missing, blurred the same way.

    That is L. Landweber's iteration ("An iteration formula for Fredholm integral equations of the
    first kind", American Journal of Mathematics 73(3), 1951) with a step of 1. It cannot diverge:
    no blur amplifies, and the shares of the slices add up to 1. Finer detail than the slices hold
    stays as the model invented it.

    Parameters
    ----------
    fused, restored : ndarray, (h, w), float32
        Part of the images in grey levels, finite.
    weight : ndarray, (h, w), float32
        How much of the change counts, from 0 to 1; 0 leaves a pixel alone.
    blur : BlurMap
        Of that part.
    read : callable
        Reads, by position and box of that part, a slice.

    Yields
    ------
    None
        After each slice of each window that meets the mask.

    Returns
    -------
    ndarray, (h, w), float32
        A new image.
    """
    result = restored.copy()
    for window, core in windows_of((fused.shape[0], fused.shape[1])):
        if not weight[core.slices].any():
            continue
        forward = ForwardWindow(window, blur, read, BlurLadder(fused[window.slices]))
        image = BlurLadder(restored[window.slices])
        missing = np.zeros(window.shape, np.float32)
        for position in range(blur.n_slices):
            share = blur.share(position, window)
            if share is not None:
                expected, _ = forward.expected(position)
                off = BlurLadder(share * forward.misfit(image, position, expected, 1.0))
                total = blur.of_slice(position, window) + forward.remaining_px2
                missing -= off.at(total)
            yield
        inner = core.shifted(-window.y0, -window.x0)
        result[core.slices] += (weight[window.slices] * missing)[inner.slices]
    return result
