"""Small scenes made by hand, whose scores can be counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_gmff.evaluation.scene import EvaluationScene


def striped_scene(n_slices: int = 4, size_px: int = 32, **changes: Any) -> EvaluationScene:
    """Return a scene of which slice k is right, and sharp, in the k-th stripe."""
    rng = np.random.default_rng(7)
    texture = rng.integers(0, 256, (size_px, size_px)).astype(np.uint8)
    depth = np.repeat(np.arange(n_slices), size_px // n_slices)[:, None] + np.zeros(size_px)
    stack = np.full((n_slices, size_px, size_px), 128, np.uint8)
    for k in range(n_slices):
        stack[k][depth == k] = texture[depth == k]
    values: dict[str, Any] = {
        "stack": stack,
        "sharp": texture.astype(np.float32),
        "depth": depth.astype(np.float32),
        "full_scale": 255.0,
        "objects": np.ones(depth.shape, bool),
    }
    return EvaluationScene(**{**values, **changes})
