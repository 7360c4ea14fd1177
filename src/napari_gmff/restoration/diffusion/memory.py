"""How to go on with less at once where a processor's memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from napari_gmff.errors import DeviceError
from napari_gmff.network.memory_ladder import free_cached_memory, is_lack_of_memory

if TYPE_CHECKING:
    import torch

LEAST_TILE_PX = 128

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class TileLadder:
    """Batches, then tiles, that become smaller; it never climbs back.

    Parameters
    ----------
    what : str
        What is done with the tiles, in words.
    tile_px : int
        Side of tiles.
    at_once : int
        Tiles in one batch.
    tells_batch : bool
        Whether a smaller batch changes results, so that it is noted.

    Attributes
    ----------
    notes : list of str
        How it went on after memory had run out, in words for the user.
    """

    def __init__(
        self, what: str, tile_px: int, at_once: int = 1, *, tells_batch: bool = False
    ) -> None:
        self._what = what
        self.tile_px = tile_px
        self.at_once = at_once
        self._tells_batch = tells_batch
        self.notes: list[str] = []

    def step_down(self, device: torch.device) -> bool:
        """Take less at once, or tell that there is no less."""
        if self.at_once > 1:
            self.at_once //= 2
            if self._tells_batch:
                self._tell(device, f"with {self.at_once} tiles at once")
            return True
        # Half the side, as a multiple of 64 that the networks take.
        smaller = self.tile_px // 128 * 64
        if smaller < LEAST_TILE_PX:
            return False
        self.tile_px = smaller
        self._tell(device, f"in tiles of {smaller} px")
        return True

    def _tell(self, device: torch.device, how: str) -> None:
        self.notes.append(f"{device} ran out of memory; {self._what} continued {how}")


def sparing(
    attempt: Callable[[], Generator[_Item, None, _Result]],
    ladder: TileLadder,
    device: torch.device,
) -> Generator[_Item, None, _Result]:
    """Do work, and again from its start with less at once where memory runs out.

    Parameters
    ----------
    attempt : callable
        Starts the work by the ladder's present state.
    ladder : TileLadder
        Stepped down.
    device : torch.device
        What computes.

    Raises
    ------
    DeviceError
        If the least does not fit.
    """
    while True:
        reason = ""
        try:
            return (yield from attempt())
        except (MemoryError, RuntimeError) as error:
            if not is_lack_of_memory(error):
                raise
            reason = str(error).strip().split("\n")[0]
        # Not in the handler: the error's frames hold on to the memory.
        free_cached_memory(device)
        if not ladder.step_down(device):
            raise DeviceError(
                f"{device}: out of memory even with tiles of {ladder.tile_px} px ({reason}); close "
                "what else uses it, restore a smaller region, or use another device"
            )
