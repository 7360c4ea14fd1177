"""What a generative model must do to be one here."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class StepDone:
    """Progress of one image.

    Attributes
    ----------
    done, total : int
        Steps.
    """

    done: int
    total: int


class Restorer(Protocol):
    """Invents detail in an image.

    One that has something to say to the user, such as how it went on where memory ran out, also has
    ``notes``, a growing sequence of str.
    """

    @property
    def facts(self) -> Mapping[str, Any]:
        """Plain values for the record.

        ``name`` and ``title`` of the model, and ``models``, a list with ``name``, ``title``,
        ``sha256``, ``license`` and ``citation`` of each file of weights.
        """

    @property
    def device(self) -> str:
        """Processor it runs on, such as ``"cuda:0"``."""

    def restore(
        self, image: NDArray[np.float32], seed: int
    ) -> Generator[StepDone, None, NDArray[np.float32]]:
        """Restore an image; closing the generator stops it between steps.

        Parameters
        ----------
        image : ndarray, (3, H, W), float32
            Red, green, blue from 0 to 1; any size.
        seed : int
            Of the noise.

        Yields
        ------
        StepDone
            After each step, and as often in between as the work can be stopped there.

        Returns
        -------
        ndarray, (3, H, W), float32
            As the value of `StopIteration`; not clipped.

        Raises
        ------
        DeviceError
            If the processor runs out of memory even with the smallest tiles.
        """
        ...
