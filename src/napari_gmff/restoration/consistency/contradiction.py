"""Where a restored image contradicts the slices that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.restoration.consistency.blur_ladder import BlurLadder
from napari_gmff.restoration.consistency.blur_map import windows_of
from napari_gmff.restoration.consistency.forward import ForwardWindow

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_gmff.restoration.consistency.blur_map import BlurMap, ReadPart

_AROUND_PX = 1.0
"""Sigma of the neighbourhood that is judged together; single pixels are mostly noise."""

_UNEXPLAINED_PX = 3.0
"""Sigma of the neighbourhood in which what no blur explains of a slice counts as its noise."""

SHARPER = (0.0, 0.5, 1.0)
"""How much sharper than the fused image the restored one may be: the most favourable counts."""


def iter_contradiction(
    fused: NDArray[np.float32],
    restored: NDArray[np.float32],
    mask: NDArray[np.bool_],
    blur: BlurMap,
    read: ReadPart,
    noise: float,
) -> Generator[None, None, NDArray[np.float32]]:
    """Compare a restored image with the slices, beyond what the fused image differs from them.

    Both are blurred to each slice that says something at a pixel, and the squares of what is left
    are compared in a small neighbourhood. Where the fused image is blurred itself, because no
    slice was in focus, a sharper image is no contradiction: it is also compared as one that is
    free of that blur, or half of it, and what suits it best counts. The slice that contradicts
    most decides.

    Parameters
    ----------
    fused, restored : ndarray, (h, w), float32
        Part of the images in grey levels, finite.
    mask : ndarray, (h, w), bool
        Where they may differ.
    blur : BlurMap
        Of that part.
    read : callable
        Reads, by position and box of that part, a slice.
    noise : float
        Standard deviation of the slices' noise in grey levels.

    Yields
    ------
    None
        After each slice of each window that meets the mask.

    Returns
    -------
    ndarray, (h, w), float32
        In standard deviations of the slices' noise, to which counts what no blur of the fused
        image explains of a slice; 0 outside the mask, and exactly 0 where nothing was changed.
        About 1 is what noise makes of an image that is true; several are a contradiction.

    Notes
    -----
    A low value proves nothing: detail finer than the blur of the sharpest slice leaves no trace.
    A high one has other causes too: where no slice was in focus, slices that are shifted or
    magnified against each other contradict even the true image.
    """
    result = np.zeros(fused.shape, np.float32)
    for window, core in windows_of((fused.shape[0], fused.shape[1])):
        if not mask[core.slices].any():
            continue
        forward = ForwardWindow(window, blur, read, BlurLadder(fused[window.slices]))
        image = BlurLadder(restored[window.slices])
        most = np.zeros((len(SHARPER), *window.shape), np.float32)
        for position in range(blur.n_slices):
            if blur.share(position, window) is not None:
                _raise_by_slice(most, forward, image, position, noise)
            yield
        inner = core.shifted(-window.y0, -window.x0)
        result[core.slices] = np.sqrt(most.min(axis=0))[inner.slices]
    return np.where(mask, result, np.float32(0))


def _raise_by_slice(
    most: NDArray[np.float32],
    forward: ForwardWindow,
    image: BlurLadder,
    position: int,
    noise: float,
) -> None:
    """Raise the largest excess found so far (hypotheses, h, w) by that of one slice."""
    share = forward.blur.share(position, forward.window)
    assert share is not None
    expected, of_fused = forward.expected(position)
    at_fused = noise**2 + ndimage.gaussian_filter(of_fused**2, _UNEXPLAINED_PX)
    # The slice that a pixel was copied from is explained without fault, but only as it is: what
    # blur cannot explain of the others counts once the image is taken for sharper.
    at_sharper = np.maximum(at_fused, at_fused + forward.unexplained - noise**2)
    for number, sharper in enumerate(SHARPER):
        if sharper and not forward.remaining_px2.any():
            most[number] = most[0]
            continue
        of_image = forward.misfit(image, position, expected, sharper)
        excess = ndimage.gaussian_filter(of_image**2 - of_fused**2, _AROUND_PX)
        excess /= at_sharper if sharper else at_fused
        np.maximum(most[number], np.where(share > 0, excess, 0), out=most[number])
