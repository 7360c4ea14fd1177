"""Group norms that take their statistics from the whole image while it is computed in tiles.

A group norm divides by the spread of what it sees. In tiles each would see its own spread, so that
contrast would jump from tile to tile. A few tiles from all over the image are therefore computed
together, all norms looking at all of them; what they found, the mean of several such batches, is
used for every tile. They look at the cores of tiles alone: at the edges convolutions have met
zeros in place of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from napari_gmff.windows import Box


_Statistics = Callable[[nn.GroupNorm, Tensor], tuple[Tensor, Tensor]]
"""Gives mean and variance of each group for what comes to a norm."""


class SharedNorms:
    """The group norms of a network.

    Parameters
    ----------
    network : Module
        Left as it was outside of `measuring` and `applying`.
    side : int
        Height or width of tiles, whichever is longer, in the unit of cores. Inside the network
        tiles may have several pixels to the unit.
    """

    def __init__(self, network: nn.Module, side: int) -> None:
        self._norms = [one for one in network.modules() if isinstance(one, nn.GroupNorm)]
        self._side = side
        self._found: dict[nn.GroupNorm, list[tuple[Tensor, Tensor]]] = {
            norm: [] for norm in self._norms
        }

    @contextmanager
    def measuring(self, cores: Sequence[Box]) -> Iterator[None]:
        """Let norms look at a batch of tiles as at one image, and remember what they find too.

        Parameters
        ----------
        cores : sequence of Box
            Part of each tile that counts.
        """

        def measured(norm: nn.GroupNorm, x: Tensor) -> tuple[Tensor, Tensor]:
            found = _mean_and_variance(self._cut(norm, x, cores))
            self._found[norm].append(found)
            return found

        with self._replaced(measured):
            yield

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Let norms use what they found before."""
        common = {norm: _mean_of(found) for norm, found in self._found.items()}
        with self._replaced(lambda norm, x: common[norm]):
            yield

    @contextmanager
    def _replaced(self, statistics: _Statistics) -> Iterator[None]:
        for norm in self._norms:
            norm.forward = partial(_normalised, norm, statistics)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for norm in self._norms:
                del norm.forward

    def _cut(self, norm: nn.GroupNorm, x: Tensor, cores: Sequence[Box]) -> list[Tensor]:
        """Cut the cores out of a batch of tiles, each (groups, values)."""
        px = max(x.shape[2:]) // self._side
        return [
            tile[:, px * core.y0 : px * core.y1, px * core.x0 : px * core.x1].reshape(
                norm.num_groups, -1
            )
            for tile, core in zip(x, cores, strict=True)
        ]


def _normalised(norm: nn.GroupNorm, statistics: _Statistics, x: Tensor) -> Tensor:
    """Normalise (B, C, h, w)."""
    mean, variance = statistics(norm, x)
    in_group = norm.num_channels // norm.num_groups
    scale = (variance + norm.eps).rsqrt().repeat_interleave(in_group) * norm.weight
    shift = norm.bias - mean.repeat_interleave(in_group) * scale
    place = (1, -1, 1, 1)
    return torch.addcmul(shift.view(place), x, scale.view(place))


def _mean_of(found: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the mean and variance of several batches together."""
    means, variances = (torch.stack(one) for one in zip(*found, strict=True))
    return means.mean(0), variances.mean(0) + means.var(0, correction=0)


def _mean_and_variance(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return those of each group over all parts."""
    n = sum(part.shape[1] for part in parts)
    mean = torch.stack([part.sum(1) for part in parts]).sum(0) / n
    squares = [(part - mean[:, None]).square().sum(1) for part in parts]
    return mean, torch.stack(squares).sum(0) / n
