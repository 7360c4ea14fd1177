"""Restorers whose output is known, where no model is needed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_gmff.restoration.restorer import StepDone

Paint = Callable[[np.ndarray, int], np.ndarray]
"""Makes the output (3, H, W) of the input and the seed."""


@dataclass
class PaintedRestorer:
    """Gives what a function makes of the image, in three steps; remembers what it was given."""

    paint: Paint
    device: str = "cpu"
    given: list[np.ndarray] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    n_closed: int = 0

    @property
    def facts(self) -> dict[str, Any]:
        one = {"name": "painted", "title": "Painted", "sha256": "ab" * 32}
        model = {**one, "license": "CC0-1.0", "citation": "Nobody. A painting."}
        return {"name": "painted", "title": "Painted", "models": [model]}

    def restore(self, image: np.ndarray, seed: int) -> Generator[StepDone, None, np.ndarray]:
        self.given.append(image.copy())
        self.seeds.append(seed)
        try:
            for done in (1, 2, 3):
                yield StepDone(done, 3)
        finally:
            self.n_closed += 1
        return self.paint(image, seed)


def unchanged() -> PaintedRestorer:
    """Return a restorer that gives back what it was given."""
    return PaintedRestorer(lambda image, _seed: image.copy())


def brighter(by: float = 0.25) -> PaintedRestorer:
    """Return a restorer that makes all brighter, by a fraction of the range that it sees."""
    return PaintedRestorer(lambda image, _seed: image + np.float32(by))


def noisy(deviation: float = 0.1) -> PaintedRestorer:
    """Return a restorer that adds noise of the seed; the same in all colours."""

    def paint(image: np.ndarray, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).standard_normal(image.shape[1:])
        return image + np.float32(deviation) * noise.astype(np.float32)

    return PaintedRestorer(paint)
