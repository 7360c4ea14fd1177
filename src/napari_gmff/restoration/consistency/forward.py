"""What slices would look like if an image were true, and how far that is from what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.restoration.consistency.cells import CELL_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.restoration.consistency.blur_ladder import BlurLadder
    from napari_gmff.restoration.consistency.blur_map import BlurMap, ReadPart
    from napari_gmff.windows import Box


@dataclass
class ForwardWindow:
    """Compares images with the slices in one window.

    Attributes
    ----------
    window : Box
        Pixels of the fused part that are worked on; its border is right only in `BlurLadder`'s
        reach from it.
    blur : BlurMap
        Of the whole part.
    read : callable
        Reads, by position and box of the part, a slice.
    fused : BlurLadder
        Of the fused image in the window.
    """

    window: Box
    blur: BlurMap
    read: ReadPart
    fused: BlurLadder

    def __post_init__(self) -> None:
        """Look up once what is left of blur in the fused image, and what no blur explains."""
        self.remaining_px2 = self.blur.remaining(self.window)
        self.unexplained = self.blur.unexplained_in(self.window)

    def expected(self, position: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return a slice without what no blur explains, and what the fused image lacks of it.

        Light from other planes, bleaching and changes of the lamp differ from slice to slice. What
        of a slice the blurred fused image does not explain at large scale counts as such, and is
        taken off.

        Returns
        -------
        expected, misfit : ndarray, (h, w), float32
            Grey levels; `misfit` is the blurred fused image minus `expected`.
        """
        measured = self.read(position, self.window)
        blurred = self.fused.at(self.blur.of_slice(position, self.window))
        background = ndimage.uniform_filter(blurred - measured, 2 * CELL_PX + 1, mode="nearest")
        expected = measured + background
        # In the same order as in `misfit`: an image equal to the fused one must give equal bits.
        return expected, blurred - expected

    def misfit(
        self, image: BlurLadder, position: int, expected: NDArray[np.float32], sharper: float
    ) -> NDArray[np.float32]:
        """Return how an image, blurred as the slice is, differs from it.

        Parameters
        ----------
        image : BlurLadder
            In the window.
        position : int
            Of the slice.
        expected : ndarray, (h, w), float32
            Of the slice.
        sharper : float
            How much of the blur that is left in the fused image the other one is free of, from 0
            to 1, in sigma.
        """
        variance = self.blur.of_slice(position, self.window)
        if sharper:
            variance = variance + np.float32(sharper**2) * self.remaining_px2
        return image.at(variance) - expected
