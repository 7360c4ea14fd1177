"""StackMFF V4 as a torch module: stack in, focus logits out.

References
----------
.. [1] "Generative Multi-Focus Image Fusion" (StackMFF V4 / GMFF), 2025.
.. [2] Howard et al., "Searching for MobileNetV3", 2019 (the encoder's blocks).

This is the plain definition, used for training and as the yardstick; windows of real stacks are
evaluated by `napari_gmff.network.evaluator`, which calls the same modules piece by piece.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

ARCHITECTURE = "stackmff-v4"
SIZE_MULTIPLE_PX = 128
"""Space is halved seven times; any other size would need resizing to match the skips."""

POOL_PX = 4
"""Side of the cells in which slices exchange information [1]_."""

FEATURES = 8
"""Channels of the full-resolution feature maps."""


@dataclass(frozen=True)
class _Residual:
    """One row of the MobileNetV3-Large table (Table 1 of [2]_, cut and retuned by [1]_)."""

    inputs: int
    expanded: int
    outputs: int
    kernel: int
    stride: int = 1
    squeezed: int = 0
    hard: bool = False


ENCODER_1 = (_Residual(16, 16, 16, 3), _Residual(16, 64, 24, 3, stride=2))
ENCODER_2 = (
    _Residual(24, 72, 24, 3),
    _Residual(24, 72, 40, 5, stride=2, squeezed=24),
    _Residual(40, 120, 40, 5, squeezed=32),
)
ENCODER_3 = (
    _Residual(40, 120, 40, 5, squeezed=32),
    _Residual(40, 240, 80, 3, stride=2, hard=True),
    _Residual(80, 200, 80, 3, hard=True),
    _Residual(80, 184, 80, 3, hard=True),
)
BOTTLENECK_WIDTHS = (80, 160, 240, 480)


class ConvNorm(nn.Module):
    """Convolution without bias, BatchNorm (eps 1e-3), activation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, act: nn.Module
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out


class SqueezeExcite(nn.Module):
    """Scale channels by a gate computed from their means over the whole input."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        gate = x.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
        gate = F.hardsigmoid(self.expand(F.relu(self.reduce(gate))))
        return x * gate


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, gate, project; identity skip where shapes allow [2]_."""

    def __init__(self, row: _Residual) -> None:
        super().__init__()
        kind = nn.Hardswish if row.hard else nn.ReLU
        wide = row.expanded

        def act() -> nn.Module:
            return kind(inplace=True)

        self.expand = (
            ConvNorm(row.inputs, wide, 1, 1, 1, act()) if wide != row.inputs else nn.Identity()
        )
        self.depthwise = ConvNorm(wide, wide, row.kernel, row.stride, wide, act())
        self.gate = SqueezeExcite(wide, row.squeezed) if row.squeezed else nn.Identity()
        self.project = ConvNorm(wide, row.outputs, 1, 1, 1, nn.Identity())
        self.has_skip = row.stride == 1 and row.inputs == row.outputs

    def filtered(self, x: Tensor) -> Tensor:
        """Do the local first half: expand and filter."""
        out: Tensor = self.depthwise(self.expand(x))
        return out

    def projected(self, wide: Tensor) -> Tensor:
        """Do the second half, gate and project, which looks at the whole input; no skip."""
        out: Tensor = self.project(self.gate(wide))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        out = self.projected(self.filtered(x))
        return x + out if self.has_skip else out


class SeriesActivation(nn.Module):
    """ReLU, then a depthwise (2n+1)x(2n+1) convolution with BatchNorm (eps 1e-6)."""

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 2 * n + 1, padding=n, groups=channels, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        # In place, also below: a fresh tensor of this size costs more than the ReLU itself. The
        # input is always the block's own.
        out: Tensor = self.norm(self.conv(F.relu(x, inplace=True)))
        return out


class Block(nn.Module):
    """Two 1x1 convolutions, an optional change of scale, and the series activation.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    resize : {"down", "up", "keep"}
        Max-pool by 2, bilinear by 2 (align_corners false), or nothing.
    n : int
        Half width of the series activation's kernel.
    """

    def __init__(self, inputs: int, outputs: int, resize: str, n: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 1)
        self.norm1: nn.Module = nn.BatchNorm2d(inputs, eps=1e-6)
        self.conv2 = nn.Conv2d(inputs, outputs, 1)
        self.norm2: nn.Module = nn.BatchNorm2d(outputs, eps=1e-6)
        self.resize = resize
        self.act = SeriesActivation(outputs, n)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H', W'), sides halved, doubled or kept."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        x = self.norm2(self.conv2(x))
        if self.resize == "down":
            x = F.max_pool2d(x, 2)
        elif self.resize == "up":
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        out: Tensor = self.act(x)
        return out


RunLocal = Callable[[Callable[[Tensor], Tensor], Tensor, int, int], Tensor]
"""Runs a step on a tensor; given its stride and its widest activation in floats per input pixel.

The step looks at most two strides beyond each output pixel.
"""


def run_whole(
    step: Callable[[Tensor], Tensor], x: Tensor, stride: int, floats_per_px: int
) -> Tensor:
    """Run a local step on the whole tensor at once."""
    del stride, floats_per_px
    return step(x)


class FocusBackbone(nn.Module):
    """Per-slice U-Net: luminance to 8 feature channels at full resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False)
        self.encoder1 = nn.Sequential(*map(InvertedResidual, ENCODER_1))
        self.encoder2 = nn.Sequential(*map(InvertedResidual, ENCODER_2))
        self.encoder3 = nn.Sequential(*map(InvertedResidual, ENCODER_3))
        widths = BOTTLENECK_WIDTHS
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(Block(a, b, "down") for a, b in pairs)
        self.up = nn.ModuleList(Block(b, a, "up") for a, b in reversed(pairs))
        self.to_eighth = Block(80, 40, "up")
        self.to_quarter = Block(40, 24, "up")
        self.to_half = Block(24, 16, "up")
        self.to_full = Block(16, 16, "up")
        self.head = nn.Conv2d(16, FEATURES, 1)

    def deepen(self, x: Tensor, run_local: RunLocal = run_whole) -> Tensor:
        """Map slices (B, 1, H, W) to the decoder's maps (B, 24, H/4, W/4).

        Parameters
        ----------
        x : Tensor
            Luminance.
        run_local : callable
            Runs the steps that look only a few pixels far and have wide activations.
        """
        quarter = run_local(self._encode_quarter, x, 4, 16)
        wide = run_local(self._filter_eighth, quarter, 2, 72)
        eighth = self.encoder2[2](self._to_eighth.projected(wide))
        x = run_local(self.encoder3[1], self.encoder3[0](eighth), 2, 240)
        x = self.encoder3[3](self.encoder3[2](x))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        for block in self.up:
            x = block(x) + skips.pop()
        x = self.to_eighth(x) + eighth
        out: Tensor = self.to_quarter(x) + quarter
        return out

    @property
    def _to_eighth(self) -> InvertedResidual:
        """The block between a quarter and an eighth of the resolution, the first with a gate."""
        block = self.encoder2[1]
        assert isinstance(block, InvertedResidual)
        return block

    def _encode_quarter(self, x: Tensor) -> Tensor:
        out: Tensor = self.encoder1(self.stem(x))
        return out

    def _filter_eighth(self, quarter: Tensor) -> Tensor:
        out: Tensor = self._to_eighth.filtered(self.encoder2[0](quarter))
        return out

    def decode(self, quarter: Tensor) -> Tensor:
        """Map (B, 24, H/4, W/4) to features (B, 8, H, W); local operations only."""
        out: Tensor = self.head(self.to_full(self.to_half(quarter)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map slices (B, 1, H, W) in 0...1 to features (B, 8, H, W)."""
        return self.decode(self.deepen(x))


class SliceTransformerLayer(nn.Module):
    """Pre-norm transformer layer along the slices of one position; order plays no part."""

    def __init__(self, width: int = FEATURES, heads: int = 4, hidden: int = 32) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.feed1 = nn.Linear(width, hidden)
        self.feed2 = nn.Linear(hidden, width)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (P, N, 8) to the same shape: P positions, N slices."""
        positions, slices, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(positions, slices, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (P, heads, N, width / heads)
        mixed = F.scaled_dot_product_attention(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).reshape(positions, slices, width))
        out: Tensor = x + self.feed2(F.gelu(self.feed1(self.norm2(x))))
        return out


class CrossSliceAttention(nn.Module):
    """SACA: slices exchange what they hold in each 4x4 cell, by a transformer along N [1]_."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Sequential(SliceTransformerLayer(), SliceTransformerLayer())

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, N, 8, H, W) to the same shape, identity included."""
        b, n, c, h, w = features.shape
        pooled = F.avg_pool2d(features.flatten(0, 1), POOL_PX)  # (B*N, 8, H/4, W/4)
        ph, pw = pooled.shape[-2:]
        tokens = pooled.view(b, n, c, ph, pw).permute(0, 3, 4, 1, 2).reshape(-1, n, c)
        mixed = self.transformer(tokens).view(b, ph, pw, n, c).permute(0, 3, 4, 1, 2)
        raised = F.interpolate(
            mixed.reshape(b * n, c, ph, pw), (h, w), mode="bilinear", align_corners=True
        )
        return features + raised.view(b, n, c, h, w)


class StackMFFV4(nn.Module):
    """The whole network [1]_; 938,416 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = FocusBackbone()
        self.exchange1 = CrossSliceAttention()
        self.refiner = Block(FEATURES, FEATURES, "keep", n=3)
        self.exchange2 = CrossSliceAttention()

    def forward(self, stack: Tensor) -> Tensor:
        """Map a stack to focus logits.

        Parameters
        ----------
        stack : Tensor, (B, N, H, W), float32 in 0...1
            Luminance of N slices; H and W multiples of 128.

        Returns
        -------
        Tensor, (B, N, H, W)
            Logits; softmax over N is each slice's probability, argmax the focus map.
        """
        b, n, h, w = stack.shape
        f = self.backbone(stack.reshape(b * n, 1, h, w)).view(b, n, FEATURES, h, w)
        r = f + self.exchange1(f)  # the identity enters twice, as in the authors' network
        r = r.flatten(0, 1)
        f = (r + self.refiner(r)).view(b, n, FEATURES, h, w)
        logits: Tensor = self.exchange2(f).amax(2)
        return logits
