"""Merge every BatchNorm into the convolution before it: same output, a third fewer passes."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_gmff.network.stackmff_v4 import Block, ConvNorm, SeriesActivation, StackMFFV4

_PAIRS: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ConvNorm: (("conv", "norm"),),
    SeriesActivation: (("conv", "norm"),),
    Block: (("conv1", "norm1"), ("conv2", "norm2")),
}
"""Convolution and norm that follow each other with nothing between, per kind of module.

The two 1x1 convolutions of a `Block` have a ReLU between them and cannot be merged further.
"""


def folded(model: StackMFFV4) -> StackMFFV4:
    """Return a copy for inference with all BatchNorms folded; scores differ by rounding only."""
    result = copy.deepcopy(model).eval().requires_grad_(False)
    for module in result.modules():
        for conv, norm in _PAIRS.get(type(module), ()):
            setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
            setattr(module, norm, nn.Identity())
    return result
