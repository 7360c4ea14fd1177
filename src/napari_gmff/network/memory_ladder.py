"""How to go on where a GPU's memory does not suffice: with less at once, at last on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_SIGNS = ("out of memory", "can't allocate", "ALLOC_FAILED")
"""What errors for lack of memory say; only CUDA's allocator has a class of its own for them."""


@dataclass(frozen=True)
class Rung:
    """How much is held at once while a window is scored; scores differ by rounding only.

    Attributes
    ----------
    device : torch.device
        What computes.
    holds_all_slices : bool
        Whether the features of all slices lie in the device's memory; else those of one slice at
        a time do, and the rest wait in the computer's.
    part_px : int or None
        Side of the parts that a fine tile is computed in; None for the whole tile.
    words : str
        How the run goes on with this rung, for the user.
    """

    device: torch.device
    holds_all_slices: bool = True
    part_px: int | None = None
    words: str = ""


def rungs_of(device: torch.device) -> list[Rung]:
    """Return what is tried one after the other; a CPU has nothing to fall back on."""
    if device.type == "cpu":
        return [Rung(device)]
    return [
        Rung(device),
        Rung(device, holds_all_slices=False, words="with one slice at a time in its memory"),
        *(
            Rung(device, holds_all_slices=False, part_px=part_px, words=f"in tiles of {part_px} px")
            for part_px in (256, 128, 64)
        ),
        Rung(torch.device("cpu"), words="on the CPU, which takes longer"),
    ]


class MemoryLadder:
    """Where an evaluator stands on its ladder; it never climbs back.

    Parameters
    ----------
    rungs : sequence of Rung
        From `rungs_of`.

    Attributes
    ----------
    rung : Rung
        The one in use.
    notes : list of str
        How it went on after memory had run out, in words for the user.
    """

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self._rungs = rungs
        self.rung = rungs[0]
        self.notes: list[str] = []
        self._untold = ""

    def can_step_down(self, error: RuntimeError, tile_px: int | None) -> bool:
        """Tell whether an error is for lack of memory and something can be done about it.

        Parameters
        ----------
        error : RuntimeError
            What was raised.
        tile_px : int or None
            Side of the fine tile that was too large; None where it was a whole slice.
        """
        return is_lack_of_memory(error) and self._next(tile_px) is not None

    def step_down(self, tile_px: int | None) -> None:
        """Take the next rung that makes a difference."""
        rung = self._next(tile_px)
        assert rung is not None
        self._untold = f"{self.rung.device} ran out of memory; continued {rung.words}"
        self.rung = rung

    def tell(self) -> None:
        """Note the rung last taken; to be called once something has worked on it."""
        if self._untold:
            self.notes.append(self._untold)
            self._untold = ""

    def _next(self, tile_px: int | None) -> Rung | None:
        for rung in self._rungs[self._rungs.index(self.rung) + 1 :]:
            if rung.part_px is None or (tile_px is not None and rung.part_px < tile_px):
                return rung
        return None


def is_lack_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out."""
    is_class = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return is_class or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
    )


def free_cached_memory(device: torch.device) -> None:
    """Give back what torch keeps of a GPU's memory for later, so that smaller pieces fit."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
