"""What the tests of the classical engines share."""

from __future__ import annotations

import numpy as np

from napari_gmff.engines.base import FocusEngine, whole


def scores_of(engine: FocusEngine, stack: np.ndarray) -> np.ndarray:
    """Return all scores (N, H, W)."""
    items = list(engine.iter_scores(lambda k: stack[k], len(stack), stack.shape[1:]))
    assert [item.slice_index for item in items] == list(range(len(stack)))
    assert {item.tile for item in items} == {whole(stack.shape[1:])}
    assert len(items) == engine.n_steps(len(stack), stack.shape[1:])
    return np.stack([item.scores for item in items])


def noise(*shape: int) -> np.ndarray:
    """Return noise from 0 to 1, always the same."""
    return np.random.default_rng(0).random(shape).astype(np.float32)
