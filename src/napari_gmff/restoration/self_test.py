"""Does restoring help on this very stack? Drop slices, restore what they showed, and compare.

The full fusion is what was measured. A restoration that does not come closer to it than the fusion
with a gap does has invented something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.errors import ParameterError, RestorationCancelled
from napari_gmff.params import FuseParams, validated
from napari_gmff.pipeline import iter_fuse
from napari_gmff.restoration.closeness import Closeness, closeness
from napari_gmff.restoration.run import check_accepted, iter_restore, merged_params
from napari_gmff.restoration.verdict import verdict_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.restoration_result import RestorationResult
    from napari_gmff.results import FusionResult

_LEAST_KEPT = 2
"""Slices that must be left to be fused."""

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


def self_test(
    stack: FocusStack,
    *,
    accept_generative: bool = False,
    restorer: Restorer | None = None,
    params: RestoreParams | None = None,
    fuse_params: FuseParams | None = None,
    drop: Collection[int] | None = None,
    mask: MaskChoice = "gap",
    on_progress: Callable[[SelfTestProgress], None] | None = None,
    **options: Any,
) -> SelfTest:
    """Test a restoration on a stack whose truth is known: slices that are left out.

    The stack is fused as a whole and without some slices; the latter is restored, and both are
    compared with the former, inside and outside the area whose focus is now missing.

    Parameters
    ----------
    stack : FocusStack
        As `read_stack` gives it. Of several time points that of `params`, or the first, is used.
    accept_generative : bool
        Must be True, as for `restore`.
    restorer : Restorer, optional
        The model; the stored one that `params` name where left out.
    params : RestoreParams, optional
        As for `restore`; its region is that of the test.
    fuse_params : FuseParams, optional
        How the stack is fused; defaults where left out.
    drop : collection of int, optional
        Slices to leave out, from 0; the middle third where left out.
    mask : {"gap", "confidence"}
        What is restored: the area whose focus is missing, which tests the model, or what has low
        confidence, as `restore` does, which tests the mask as well.
    on_progress : callable, optional
        Called with `SelfTestProgress`.
    **options
        Single fields of `RestoreParams`, which override `params`.

    Returns
    -------
    SelfTest
        Its `verdict` is a sentence.

    Raises
    ------
    ParameterError
        If too few slices are left, or nothing was in focus in those left out.
    GmffError
        As for `fuse` and `restore`; nothing is left behind.
    """
    run = iter_self_test(
        stack,
        accept_generative=accept_generative,
        restorer=restorer,
        params=params,
        fuse_params=fuse_params,
        drop=drop,
        mask=mask,
        **options,
    )
    with closing(run):
        while True:
            try:
                progress = next(run)
            except StopIteration as finished:
                found: SelfTest = finished.value
                return found
            if on_progress:
                on_progress(progress)


def iter_self_test(
    stack: FocusStack,
    *,
    accept_generative: bool = False,
    restorer: Restorer | None = None,
    params: RestoreParams | None = None,
    fuse_params: FuseParams | None = None,
    drop: Collection[int] | None = None,
    mask: MaskChoice = "gap",
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> Generator[SelfTestProgress, None, SelfTest]:
    """Test a restoration step by step; see `self_test`.

    Parameters
    ----------
    stack, accept_generative, restorer, params, fuse_params, drop, mask, **options
        As for `self_test`.
    should_stop : callable, optional
        Asked between steps; a true answer ends the test. Closing the generator does the same.

    Yields
    ------
    SelfTestProgress

    Returns
    -------
    SelfTest
        As the value of `StopIteration`.

    Raises
    ------
    RestorationCancelled
        If `should_stop` said so; nothing is left behind.
    GmffError
        As for `self_test`.
    """
    check_accepted(accept_generative)
    params = merged_params(params, options)
    if mask not in ("gap", "confidence"):
        raise ParameterError(f"mask: must be gap or confidence, got {mask!r}")
    test = _Test(stack, params, _fusing(params, fuse_params), restorer, mask)
    test.dropped = _dropped(drop, stack)
    steps = test.steps()
    with closing(steps):
        while True:
            try:
                progress = next(steps)
            except StopIteration as finished:
                found: SelfTest = finished.value
                return found
            yield progress
            if should_stop is not None and should_stop():
                raise RestorationCancelled(f"{stack.name}: self-test stopped on request")


@dataclass
class _Test:
    """State of one self-test."""

    stack: FocusStack
    params: RestoreParams
    fusing: FuseParams
    restorer: Restorer | None
    mask: MaskChoice
    dropped: tuple[int, ...] = ()

    def steps(self) -> Generator[SelfTestProgress, None, SelfTest]:
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
        with closing(iter_fuse(stack, params=self.fusing)) as run:
            while True:
                try:
                    progress = next(run)
                except StopIteration as finished:
                    return results.enter_context(finished.value)
                if progress.stage == "fuse":
                    yield SelfTestProgress(stage, progress.done, progress.total)

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
        with closing(run):
            while True:
                try:
                    progress = next(run)
                except StopIteration as finished:
                    return results.enter_context(finished.value)
                if progress.stage == "restore":
                    yield SelfTestProgress("restore", progress.done, progress.total)

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


def _dropped(drop: Collection[int] | None, stack: FocusStack) -> tuple[int, ...]:
    n_slices = stack.n_slices
    if drop is None:
        n_dropped = max(1, n_slices // 3)
        first = (n_slices - n_dropped) // 2
        drop = range(first, first + n_dropped)
    numbers = tuple(sorted({int(number) for number in drop}))
    if not numbers or numbers[0] < 0 or numbers[-1] >= n_slices:
        raise ParameterError(
            f"drop: must name slices from 0 to {n_slices - 1} of {stack.name}, got {list(drop)}"
        )
    if n_slices - len(numbers) < _LEAST_KEPT:
        raise ParameterError(
            f"drop: must leave {_LEAST_KEPT} slices or more of the {n_slices} of {stack.name}, got "
            f"{len(numbers)} to drop"
        )
    return numbers


def _fusing(params: RestoreParams, fuse_params: FuseParams | None) -> FuseParams:
    values = {} if fuse_params is None else fuse_params.model_dump(exclude_unset=True)
    values["time"] = params.time[0] if params.time else 0
    if params.region is not None:
        values["region"] = params.region
    return validated(FuseParams, {**values, "z_range": None})


def _channels(image: NDArray[Any]) -> NDArray[Any]:
    return image.reshape(-1, *image.shape[-2:])
