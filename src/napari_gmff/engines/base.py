"""What an engine is. To add one, write one module like `laplacian` and register it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from napari_gmff.windows import Box

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_gmff.scores import ReadSlice, ScoreKind, TileScores

RangeRule = Literal["dtype", "percentiles"]
"""Whole range of the pixel type, or robust percentiles of the stack."""

SmoothingRule = Literal["auto-noise", "none"]
"""Smoothed as the estimated noise asks for (not at all on clean data), or never."""


@dataclass(frozen=True)
class EngineOptions:
    """What engines may need of the run's parameters.

    Attributes
    ----------
    weights : str or None
        Name of a model, or file; None for the engine's own.
    device : str
        "auto", "cpu", "mps", "cuda" or "cuda:N".
    threads : int or None
        Processor threads; None leaves the library's choice.
    memory_limit_mb : int
        Above this, what an engine keeps per slice goes to disk.
    halo_px : int
        Margin of a window that is dropped; one that looks no further leaves no seams.
    """

    weights: str | None = None
    device: str = "auto"
    threads: int | None = None
    memory_limit_mb: int = 1024
    halo_px: int = 64


class Engine(Protocol):
    """What engines of both kinds have in common.

    Attributes
    ----------
    name : str
        What the parameter `engine` says.
    title : str
        One line for users who choose.
    method : str
        What scores the focus, in words that fit "scored with ..." in a methods section.
    references : tuple of str
        Papers to cite for it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    method: ClassVar[str]
    references: ClassVar[tuple[str, ...]]

    def input_rule(self, dtype: np.dtype[np.generic]) -> RangeRule:
        """Tell which intensities this engine wants to see as 0 and 1."""

    def smoothing_rule(self) -> SmoothingRule:
        """Tell whether this engine wants noise smoothed away before it looks."""

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        """Count the items that the work on a window yields."""

    @staticmethod
    def work_ns(n_slices: int, shape_yx: tuple[int, int]) -> float:
        """Return how much work a window is, for estimates.

        In nanoseconds of one core of the machine that the engine was first timed on. What it is
        elsewhere is measured there, so only the ratio between windows counts.
        """

    @property
    def notes(self) -> Sequence[str]:
        """What came up while scoring that the user should know, in words; grows as it does."""

    def describe(self) -> Mapping[str, object]:
        """Return what provenance needs: weights with sha256, device ... JSON-ready."""


class FocusEngine(Engine, Protocol):
    """Scores the slices of a window for focus.

    An engine sees luminance in about 0...1 and returns numbers; which slice is taken, how sure
    that is, and which pixels are copied is decided elsewhere, alike for all engines.

    Attributes
    ----------
    score_kind : ScoreKind
        What the scores are.
    reach_px : int or None
        How far from a pixel its score looks; None for the whole window.
    """

    score_kind: ClassVar[ScoreKind]
    reach_px: ClassVar[int | None]

    def iter_scores(
        self,
        read_slice: ReadSlice,
        n_slices: int,
        shape_yx: tuple[int, int],
        *,
        within: Box | None = None,
    ) -> Iterator[TileScores | None]:
        """Score one window.

        Parameters
        ----------
        read_slice : callable
            Returns slice k, (h, w) float32 in about 0...1.
        n_slices : int
            Number of slices, at least 1.
        shape_yx : tuple of int
            Height and width of the window, any size.
        within : Box, optional
            Tiles that do not meet this part, in window pixels, may be left out.

        Yields
        ------
        TileScores or None
            For each tile all slices in order; tiles do not overlap and cover the window (or
            `within`). None marks a step of work without scores; a run can stop at any item.
        """


class BlendSource(Protocol):
    """A window as an engine sees it that computes pixels; each plane may be asked for again.

    Attributes
    ----------
    n_slices : int
        At least 1.
    n_channels : int
        Channels to compute, at least 1; colour samples are channels.
    shape_yx : tuple of int
        Height and width of the window, any size.
    """

    n_slices: int
    n_channels: int
    shape_yx: tuple[int, int]

    def seen(self, position: int) -> NDArray[np.float32]:
        """Return slice k as a focus engine would see it, (h, w) float32 in about 0...1, no NaN."""

    def pixels(self, position: int) -> NDArray[np.float32]:
        """Return the pixels of slice k, (C, h, w) float32 in grey levels of the source, no NaN."""

    def invalid(self, position: int) -> NDArray[np.bool_] | None:
        """Return where slice k is not finite, (h, w); None for nowhere. Known once it was seen."""


class BlendEngine(Engine, Protocol):
    """Computes the pixels of a window from those of all slices.

    What it gives are not measured pixels, and no slice is chosen: such a result has no focus
    index, no depth and no confidence, and says so wherever it is shown.

    Attributes
    ----------
    preserves_pixels : bool
        False.
    """

    preserves_pixels: ClassVar[Literal[False]]

    def iter_blend(self, source: BlendSource) -> Generator[None, None, NDArray[np.float32]]:
        """Compute one window.

        Yields
        ------
        None
            For each step of work; a run can stop at any.

        Returns
        -------
        ndarray, (C, h, w), float32
            In grey levels of the source, NaN where no slice is valid. Rounding and clipping to
            the pixel type is done elsewhere, alike for all engines.
        """


AnyEngine: TypeAlias = FocusEngine | BlendEngine
"""What the registry makes."""


class KeptWindow(Protocol):
    """A window whose costly part is done once, so that scores of small parts come quickly.

    Attributes
    ----------
    n_bytes : int
        Memory, or scratch file, that it holds until it is closed.
    """

    n_bytes: int

    def prepare(self, read_slice: ReadSlice) -> Iterator[None]:
        """Do the costly part, slice by slice; it can be interrupted and taken up at any item."""

    def scores(self, part: Box) -> NDArray[np.float32]:
        """Return the scores (N, h, w) of a part, in window pixels, once it is prepared.

        They are those of a run up to rounding.
        """

    def iter_scores(self, within: Box) -> Iterator[TileScores | None]:
        """Score the tiles that meet a part exactly as `FocusEngine.iter_scores` does."""

    def close(self) -> None:
        """Give back memory and scratch files."""


@runtime_checkable
class KeepsWindows(Protocol):
    """What an engine may offer that looks at whole windows; focus curves then come quickly."""

    def keep_window(self, n_slices: int, shape_yx: tuple[int, int]) -> KeptWindow:
        """Make room for a window; see `FocusEngine.iter_scores` for the parameters."""


def whole(shape_yx: tuple[int, int]) -> Box:
    """Return the tile that is the whole window."""
    return Box(0, shape_yx[0], 0, shape_yx[1])


def cropped(plane: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Return a contiguous copy of part of a plane."""
    return np.ascontiguousarray(plane[box.slices])
