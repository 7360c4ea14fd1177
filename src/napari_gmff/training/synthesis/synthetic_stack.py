"""`SyntheticStack`: a focus stack and everything that is true of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatImage = NDArray[np.float32]
BoolImage = NDArray[np.bool_]

DISTRACTOR = -1
"""Place in `SyntheticStack.order` of a slice in which nothing is ever sharpest."""


@dataclass(frozen=True)
class SyntheticStack:
    """A focus stack and everything that is true of it.

    Attributes
    ----------
    stack : ndarray, (N, Y, X), float32
        Slices, about 0 to 1. Linear in light and without noise until a camera has seen it.
    index : ndarray, (Y, X), intp
        Position in `stack` of the slice in which each pixel is sharpest.
    depth : ndarray, (Y, X), float32
        Continuous true depth in slices of the ordered stack; 0 is the first focal plane.
    sharp : ndarray, (Y, X), float32
        The scene with everything in focus, without noise, in the units of `stack`.
    texture : ndarray, (Y, X), bool
        Where focus can be judged from the pixel's neighbourhood.
    known : ndarray, (Y, X), bool
        Where there is something that has a depth. Elsewhere (empty background of a fluorescence
        image) `index` and `depth` mean nothing.
    order : tuple of int
        For each position in `stack`, its place in z, or `DISTRACTOR`.
    kind : str
        Name of the generator.
    """

    stack: NDArray[np.float32]
    index: NDArray[np.intp]
    depth: FloatImage
    sharp: FloatImage
    texture: BoolImage
    known: BoolImage
    order: tuple[int, ...]
    kind: str

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return len(self.stack)

    @property
    def ordered(self) -> bool:
        """Whether slices follow each other in z without distractors."""
        return self.order == tuple(range(self.n_slices))

    def with_stack(self, stack: NDArray[np.float32]) -> SyntheticStack:
        """Return the same truth with other pixels, those of a camera for example."""
        assert stack.shape == self.stack.shape
        return replace(self, stack=stack)

    def rearranged(self, positions: Sequence[int]) -> SyntheticStack:
        """Return the stack with its slices in another order; the truth follows.

        Parameters
        ----------
        positions : sequence of int
            A permutation: the present position of each slice of the new stack.
        """
        assert sorted(positions) == list(range(self.n_slices))
        new_position = np.empty(self.n_slices, np.intp)
        new_position[list(positions)] = np.arange(self.n_slices)
        return replace(
            self,
            stack=np.ascontiguousarray(self.stack[list(positions)]),
            index=new_position[self.index],
            order=tuple(self.order[position] for position in positions),
        )


def ordered_stack(
    stack: NDArray[np.floating],
    depth: NDArray[np.floating],
    sharp: NDArray[np.floating],
    kind: str,
    *,
    texture: BoolImage | None = None,
    known: BoolImage | None = None,
) -> SyntheticStack:
    """Put an ordered stack and its truth together; the index is the slice nearest in depth.

    Parameters
    ----------
    stack : ndarray, (N, Y, X)
        About 0 to 1.
    depth : ndarray, (Y, X)
        In slices, 0 to N - 1.
    sharp : ndarray, (Y, X)
        In the units of `stack`.
    kind : str
        Name of the generator.
    texture : ndarray, (Y, X), bool, optional
        `texture_mask` of `sharp` by default.
    known : ndarray, (Y, X), bool, optional
        Everywhere by default.
    """
    index = np.clip(np.rint(depth), 0, len(stack) - 1).astype(np.intp)
    sharp = np.asarray(sharp, np.float32)
    return SyntheticStack(
        stack=np.ascontiguousarray(stack, np.float32),
        index=index,
        depth=np.asarray(depth, np.float32),
        sharp=sharp,
        texture=texture_mask(sharp) if texture is None else texture,
        known=np.ones(index.shape, bool) if known is None else known,
        order=tuple(range(len(stack))),
        kind=kind,
    )


def texture_mask(sharp: FloatImage, contrast: float = 0.01) -> BoolImage:
    """Return where an image has fine structure.

    Parameters
    ----------
    sharp : ndarray, (Y, X)
        About 0 to 1.
    contrast : float
        Least local standard deviation of what a Gaussian of 1.5 px removes, over about 10 px.
    """
    detail = sharp - ndimage.gaussian_filter(sharp, 1.5)
    return np.asarray(ndimage.gaussian_filter(detail * detail, 2.5) > contrast**2)
