"""What the tests of the engines that compute pixels share."""

from __future__ import annotations

import numpy as np

from napari_gmff.engines.base import BlendEngine


class ArraySource:
    """A stack in memory as a blend sees it; (N, H, W) or (N, C, H, W)."""

    def __init__(self, stack: np.ndarray, invalid: dict[int, np.ndarray] | None = None) -> None:
        self._planes = (stack if stack.ndim == 4 else stack[:, None]).astype(np.float32)
        self._invalid = invalid or {}
        self.n_slices, self.n_channels, *sides = self._planes.shape
        self.shape_yx = (sides[0], sides[1])
        self._scale = np.float32(1 / max(1.0, float(self._planes.max())))

    def seen(self, position: int) -> np.ndarray:
        return self._planes[position].mean(0) * self._scale

    def pixels(self, position: int) -> np.ndarray:
        return self._planes[position]

    def invalid(self, position: int) -> np.ndarray | None:
        return self._invalid.get(position)


def blended(engine: BlendEngine, source: ArraySource) -> np.ndarray:
    """Return what an engine computes, (C, H, W), after the steps that it announced."""
    steps, n_steps = engine.iter_blend(source), 0
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            assert n_steps == engine.n_steps(source.n_slices, source.shape_yx)
            return finished.value
        n_steps += 1
