"""Group norms that take their statistics from the whole image while it is computed in tiles.

A group norm divides by the spread of what it sees. In tiles each would see its own spread, so that
contrast would jump from tile to tile. A few tiles are therefore computed together once, all norms
looking at all of them, and what they found is used for every tile. They look at the cores of tiles
alone: at the edges convolutions have met zeros in place of the image.
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
        self._found: dict[nn.GroupNorm, tuple[Tensor, Tensor]] = {}

    @contextmanager
    def measuring(self, cores: Sequence[Box]) -> Iterator[None]:
        """Let norms look at a batch of tiles as at one image, and remember what they find.

        Parameters
        ----------
        cores : sequence of Box
            Part of each tile that counts.
        """

        def look(norm: nn.GroupNorm, x: Tensor) -> None:
            self._found[norm] = _mean_and_variance(self._cut(norm, x, cores))

        with self._before_each(look):
            yield

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Let norms use what they found before."""
        with self._before_each(lambda norm, x: None):
            yield

    @contextmanager
    def _before_each(self, look: Callable[[nn.GroupNorm, Tensor], None]) -> Iterator[None]:
        for norm in self._norms:
            norm.forward = partial(self._normalised, norm, look)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for norm in self._norms:
                del norm.forward

    def _normalised(
        self, norm: nn.GroupNorm, look: Callable[[nn.GroupNorm, Tensor], None], x: Tensor
    ) -> Tensor:
        """Normalise (B, C, h, w) by the statistics found."""
        look(norm, x)
        mean, variance = self._found[norm]
        in_group = norm.num_channels // norm.num_groups
        scale = (variance + norm.eps).rsqrt().repeat_interleave(in_group) * norm.weight
        shift = norm.bias - mean.repeat_interleave(in_group) * scale
        place = (1, -1, 1, 1)
        return torch.addcmul(shift.view(place), x, scale.view(place))

    def _cut(self, norm: nn.GroupNorm, x: Tensor, cores: Sequence[Box]) -> list[Tensor]:
        """Cut the cores out of a batch of tiles, each (groups, values)."""
        px = max(x.shape[2:]) // self._side
        return [
            tile[:, px * core.y0 : px * core.y1, px * core.x0 : px * core.x1].reshape(
                norm.num_groups, -1
            )
            for tile, core in zip(x, cores, strict=True)
        ]


def _mean_and_variance(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return those of each group over all parts."""
    n = sum(part.shape[1] for part in parts)
    mean = torch.stack([part.sum(1) for part in parts]).sum(0) / n
    squares = [(part - mean[:, None]).square().sum(1) for part in parts]
    return mean, torch.stack(squares).sum(0) / n
