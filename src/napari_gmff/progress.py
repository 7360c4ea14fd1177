"""Where a run stands, as it tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.export.layout import Geometry, ImageSpec
    from napari_gmff.unfinished.work import EarlierWork


@dataclass(frozen=True)
class WindowDone:
    """A finished part of the result, for those who show results while they come.

    Attributes
    ----------
    time : int
        Time point of the result, from 0.
    place : tuple of slice
        Rows and columns of the result.
    blocks : dict of str to ndarray
        Pixels by image name; (C, h, w) or (h, w) as the image's axes say. Not to be changed.
    """

    time: int
    place: tuple[slice, slice]
    blocks: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    stage : str
        "measure", "check", "fuse" or "export", in this order; "check" only where unfinished work
        is continued, "export" only where an output is named.
    done, total : int
        Steps of this stage; `done` never falls, and ends at `total`. It starts at 0, "fuse" with
        what was done before where unfinished work is continued.
    images : dict of str to ImageSpec, optional
        With the first step of "fuse": what the result will hold.
    geometry : Geometry, optional
        With the first step of "fuse": where its pixels will lie.
    window : WindowDone, optional
        The part that this step finished.
    notes : tuple of str
        What came up in this step that the user should know, such as a lack of memory on the GPU
        and how the run goes on.
    earlier : EarlierWork, optional
        With the first step of "fuse": the unfinished work that was found, continued or replaced.
    """

    stage: str
    done: int
    total: int
    images: dict[str, ImageSpec] | None = field(default=None, repr=False, compare=False)
    geometry: Geometry | None = field(default=None, repr=False, compare=False)
    window: WindowDone | None = field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()
    earlier: EarlierWork | None = field(default=None, compare=False)


@dataclass(frozen=True)
class KeptWork:
    """Where a run that is stopped keeps what it has done.

    Attributes
    ----------
    out : Path
        The output beside which it is kept.
    is_resumed : bool
        Whether to go on with what is kept there already; else that is replaced.
    """

    out: Path
    is_resumed: bool
