"""`SelfTestRun`: the steps of a self-test, and what it finds."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.pipeline import iter_fuse
from napari_gmff.restoration.closeness import Closeness, closeness
from napari_gmff.restoration.run import iter_restore, merged_params
from napari_gmff.restoration.verdict import verdict_of
from napari_gmff.steps import relayed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.params import FuseParams
    from napari_gmff.progress import Progress
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.progress import RestorationProgress
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.restoration_result import RestorationResult
    from napari_gmff.results import FusionResult

MaskChoice = Literal["gap", "confidence"]


@dataclass(frozen=True)
class SelfTestProgress:
    """Where a self-test stands.

    Attributes
    ----------
    stage : str
        "fuse all", "fuse the rest", "restore" or "compare".
    done, total : int
        Steps of this stage.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class AreaComparison:
    """How close to the full fusion an area is, before and after restoring.

    Attributes
    ----------
    n_pixels : int
        Of the area.
    restored_share : float
        Share of them that restoring changed, from 0 to 1.
    fused, restored : Closeness or None
        Of the fusion with a gap, and of what restoring made of it; None of an empty area.
    """

    n_pixels: int
    restored_share: float
    fused: Closeness | None
    restored: Closeness | None


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found.

    Attributes
    ----------
    dropped : tuple of int
        Slices that were left out, numbered as in the stack.
    inside : AreaComparison
        Where the full fusion took its pixels from one of these.
    outside : AreaComparison
        Everywhere else.
    """

    dropped: tuple[int, ...]
    inside: AreaComparison
    outside: AreaComparison

    @property
    def verdict(self) -> str:
        """What that means, in one plain sentence."""
        return verdict_of(self)


@dataclass
class SelfTestRun:
    """State of one self-test.

    Attributes
    ----------
    stack, params, restorer, mask
        As for `napari_gmff.restoration.self_test.self_test`.
    fusing : FuseParams
        Of one time point.
    dropped : tuple of int
        Slices to leave out.
    """

    stack: FocusStack
    params: RestoreParams
    fusing: FuseParams
    restorer: Restorer | None
    mask: MaskChoice
    dropped: tuple[int, ...]

    def iterate(self) -> Generator[SelfTestProgress, None, SelfTest]:
        """Do the work; nothing is left behind.

        Yields
        ------
        SelfTestProgress

        Returns
        -------
        SelfTest
        """
        with ExitStack() as results:
            full = yield from self._fused("fuse all", self.stack, results)
            gap = self._gap(full)
            rest = without_slices(self.stack, self.dropped)
            left = yield from self._fused("fuse the rest", rest, results)
            restored = yield from self._restored(left, rest, gap, results)
            yield SelfTestProgress("compare", 0, 1)
            found = self._compared(full, restored, gap)
            yield SelfTestProgress("compare", 1, 1)
            return found

    def _fused(
        self, stage: str, stack: FocusStack, results: ExitStack
    ) -> Generator[SelfTestProgress, None, FusionResult]:
        made = yield from relayed(
            iter_fuse(stack, params=self.fusing),
            lambda one: _as_stage(stage, one) if one.stage == "fuse" else None,
        )
        return results.enter_context(made)

    def _restored(
        self, left: FusionResult, stack: FocusStack, gap: NDArray[np.bool_], results: ExitStack
    ) -> Generator[SelfTestProgress, None, RestorationResult]:
        run = iter_restore(
            left,
            accept_generative=True,
            stack=stack if self.params.back_projection else None,
            mask=gap if self.mask == "gap" else None,
            restorer=self.restorer,
            params=merged_params(self.params, {"time": None, "region": None, "n_seeds": 1}),
        )
        made = yield from relayed(
            run, lambda one: _as_stage("restore", one) if one.stage == "restore" else None
        )
        return results.enter_context(made)

    def _gap(self, full: FusionResult) -> NDArray[np.bool_]:
        """Return where the full fusion took a slice that is left out, (Y, X)."""
        if not full.pixels_copied:
            raise ParameterError(f"fuse_params: cannot be tested, {full.why_no_choice}")
        chosen = np.isin(full.focus_index.compute(), self.dropped)
        gap = np.asarray(chosen.reshape(-1, *chosen.shape[-2:]).any(axis=0))
        if not gap.any():
            raise ParameterError(
                f"drop: nothing of {self.stack.name} is in focus in slices "
                f"{', '.join(map(str, self.dropped))}; choose others"
            )
        return gap

    def _compared(
        self, full: FusionResult, restored: RestorationResult, gap: NDArray[np.bool_]
    ) -> SelfTest:
        truth, before, after = (
            _channels(image.compute()) for image in (full.fused, restored.fused, restored.restored)
        )
        changed = (_channels(restored.difference.compute()) != 0).any(axis=0)
        inside, outside = (
            AreaComparison(
                n_pixels=int(area.sum()),
                restored_share=float(changed[area].mean()) if area.any() else 0.0,
                fused=closeness(before, truth, area),
                restored=closeness(after, truth, area),
            )
            for area in (gap, ~gap)
        )
        return SelfTest(self.dropped, inside, outside)


def without_slices(stack: FocusStack, numbers: Collection[int]) -> FocusStack:
    """Return a stack without some slices, whose positions stay what they are."""
    kept = [number for number in range(stack.n_slices) if number not in numbers]
    z_um = stack.z_positions_um
    return replace(
        stack,
        data=stack.data[:, :, kept],
        z_positions_um=None if z_um is None else z_um[kept],
        # Without a step, which is no longer even, no positions are made up.
        voxel_size_um=(None, *stack.voxel_size_um[1:]),
        levels=(),
        metadata={**stack.metadata, "without_slices": sorted(numbers)},
        _close=None,
    )


def _channels(image: NDArray[Any]) -> NDArray[Any]:
    return image.reshape(-1, *image.shape[-2:])


def _as_stage(stage: str, progress: Progress | RestorationProgress) -> SelfTestProgress:
    return SelfTestProgress(stage, progress.done, progress.total)
