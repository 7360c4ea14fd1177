"""What these tests share."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np


def finished(work: Generator[Any, None, Any]) -> Any:
    """Run a generator to its end, without gradients; return its value."""
    import torch

    with torch.no_grad():
        while True:
            try:
                next(work)
            except StopIteration as end:
                return end.value


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return colours (3, H, W) from 0 to 1, smooth enough to be an image."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal((3, height, width))
    smooth = np.stack([gaussian_filter(plane, 2.0) for plane in noise])
    return np.clip(0.5 + smooth, 0, 1).astype(np.float32)


def greatest_share(found: Any, expected: Any) -> float:
    """Return the greatest difference as a share of the greatest value expected."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())
