"""Run the plain network and the evaluator on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_gmff.network.coarse_maps import coarse_maps
from napari_gmff.network.evaluator import QUARTER_CHANNELS, StackMFFV4Evaluator
from napari_gmff.network.stackmff_v4 import StackMFFV4

CPU = torch.device("cpu")


def random_model(seed: int) -> StackMFFV4:
    """Return an untrained network that tells slices apart.

    Its BatchNorm statistics fit its activations, so that those keep a usual size, but no norm is
    close to doing nothing: forgetting one shows.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StackMFFV4()
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.data.uniform_(0.6, 1.6)
            norm.bias.data.uniform_(-0.3, 0.3)
        with torch.no_grad():
            model.train()(torch.rand(1, 4, 128, 128))
    return model.eval()


def random_stack(n_slices: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Return noise in 0...1 with some structure of 8 px, (N, H, W)."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((n_slices, -(-height // 8), -(-width // 8)))
    smooth = np.kron(coarse, np.ones((1, 8, 8)))[:, :height, :width]
    return (0.6 * smooth + 0.4 * rng.random((n_slices, height, width))).astype(np.float32)


def plain_logits(model: StackMFFV4, stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits (N, H, W) of the plain definition."""
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(torch.from_numpy(stack)[None])[0].numpy()
    return logits


def evaluated_logits(
    model: StackMFFV4,
    stack: NDArray[np.float32],
    *,
    coarse: Any = None,
    **options: Any,
) -> NDArray[np.float32]:
    """Return the logits (N, H, W) of the evaluator, NaN where it gives none."""
    n_slices, height, width = stack.shape
    evaluator = StackMFFV4Evaluator(model, CPU)
    logits = np.full(stack.shape, np.nan, np.float32)
    shape = (n_slices, height // 4, width // 4, QUARTER_CHANNELS)
    with coarse_maps(shape, 1024) as in_memory:
        maps = in_memory if coarse is None else coarse
        for item in evaluator.iter_scores(
            lambda k: stack[k], n_slices, (height, width), maps, **options
        ):
            if item is not None:
                logits[(item.slice_index, *item.tile.slices)] = item.scores
    return logits


def assert_agree(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Check the project's own bounds: index on 99.99 % of pixels, logits to 1e-4 of their range."""
    assert found.shape == expected.shape
    assert np.ptp(expected) > 0
    worst = np.abs(found - expected).max() / np.ptp(expected)
    assert worst < 1e-4, f"logits differ by {worst:.2g} of their range"
    same = (found.argmax(0) == expected.argmax(0)).mean()
    assert same >= 0.9999, f"index equal on {same:.6f}"
