"""`EvaluationScene`: the stack a camera delivers and everything that is true of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack

DISTRACTOR = -1
"""Place in `EvaluationScene.order` of a slice in which nothing is ever sharpest."""

PIXEL_SIZE_UM = 0.2
"""Stated to the pipeline; nothing is judged by it."""


@dataclass(frozen=True)
class EvaluationScene:
    """The stack a camera delivers and everything that is true of it.

    Attributes
    ----------
    stack : ndarray, (N, Y, X), uint8 or uint16
        What is fused.
    sharp : ndarray, (Y, X), float32
        The scene with everything in focus and without noise, in the stack's grey levels.
    depth : ndarray, (Y, X), float32
        True depth in slices of the ordered stack.
    full_scale : float
        Grey level of white in this scene; the peak of PSNR and SSIM.
    objects : ndarray, (Y, X), bool
        Where focus can be judged: pixels of objects, or of texture.
    known : ndarray, (Y, X), bool
        Where there is something that has a depth; everywhere by default.
    order : tuple of int
        For each slice of `stack` its place in z, or `DISTRACTOR`; several may share a place.
    plain_column : str
        Column whose scene of the same number is this one without what disturbs it, if any.
    """

    stack: NDArray[Any]
    sharp: NDArray[np.float32]
    depth: NDArray[np.float32]
    full_scale: float
    objects: NDArray[np.bool_]
    known: NDArray[np.bool_] = field(default_factory=lambda: np.ones((1, 1), bool))
    order: tuple[int, ...] = ()
    plain_column: str = ""

    def __post_init__(self) -> None:
        """Fill in what was left out."""
        if not self.order:
            object.__setattr__(self, "order", tuple(range(len(self.stack))))
        if self.known.shape != self.depth.shape:
            object.__setattr__(self, "known", np.broadcast_to(self.known, self.depth.shape))

    @property
    def is_ordered(self) -> bool:
        """Whether slices follow each other in z, without distractors and duplicates."""
        return self.order == tuple(range(len(self.stack)))

    @property
    def true_place(self) -> NDArray[np.intp]:
        """Place in z of the slice nearest to the true depth, (Y, X)."""
        return np.clip(np.rint(self.depth), 0, max(self.order)).astype(np.intp)

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """The right slice of `stack`, (Y, X); the first of those that are equally right."""
        first = np.array([self.order.index(place) for place in range(max(self.order) + 1)])
        return np.asarray(first[self.true_place], np.intp)

    def slices_off(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """Return how many places in z each chosen slice is off; infinite for a distractor.

        Parameters
        ----------
        index : ndarray, (Y, X), integer
            Chosen slices of `stack`.
        """
        places = np.array(
            [np.inf if place == DISTRACTOR else place for place in self.order], np.float64
        )
        return np.asarray(np.abs(places[index.astype(np.intp)] - self.true_place))

    def pixels_at(self, index: NDArray[Any]) -> NDArray[Any]:
        """Copy every pixel from the slice that an index (Y, X) names."""
        chosen = np.take_along_axis(self.stack, index[None].astype(np.intp), axis=0)
        return np.asarray(chosen[0])

    def as_stack(self, name: str) -> FocusStack:
        """Return the stack as users would read it.

        Where slices are in order their step is 1 µm, so that depth in µm is depth in slices.
        Otherwise positions are unknown, and the program has to find out.
        """
        import dask.array as da

        from napari_gmff.reading.stack import FocusStack

        step_um = 1.0 if self.is_ordered else None
        return FocusStack(
            da.from_array(self.stack[None, None], chunks=(1, 1, 1, 512, 512)),
            name,
            voxel_size_um=(step_um, PIXEL_SIZE_UM, PIXEL_SIZE_UM),
            metadata={"reader": "synthetic scene"},
        )


def photographed(
    light: NDArray[Any],
    full_scale: float,
    dtype: type[np.uint8] | type[np.uint16],
    rng: np.random.Generator | None = None,
    *,
    photons: float = np.inf,
    read_noise: float = 0.0,
) -> NDArray[Any]:
    """Turn light into grey levels with shot and read noise.

    Parameters
    ----------
    light : ndarray, (N, Y, X)
        1 is white.
    full_scale : float
        Grey level of white.
    dtype : type
        ``numpy.uint8`` or ``numpy.uint16``.
    rng : numpy.random.Generator, optional
        Needed for noise.
    photons : float
        At white; infinite for no shot noise.
    read_noise : float
        Standard deviation as a fraction of white.
    """
    seen = np.asarray(light, np.float64)
    if np.isfinite(photons):
        assert rng is not None
        seen = rng.poisson(np.clip(seen, 0, None) * photons) / photons
    if read_noise:
        assert rng is not None
        seen = seen + read_noise * rng.standard_normal(seen.shape)
    return np.clip(np.rint(full_scale * seen), 0, np.iinfo(dtype).max).astype(dtype)
