"""Does restoring help on this very stack? Drop slices, restore what they showed, and compare.

The full fusion is what was measured. A restoration that does not come closer to it than the fusion
with a gap does has invented something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError, RestorationCancelled
from napari_gmff.params import FuseParams, validated
from napari_gmff.restoration.run import check_accepted, merged_params
from napari_gmff.restoration.self_test_run import (
    AreaComparison,
    MaskChoice,
    SelfTest,
    SelfTestProgress,
    SelfTestRun,
)
from napari_gmff.steps import outcome_of

if TYPE_CHECKING:
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.restorer import Restorer

__all__ = ["AreaComparison", "SelfTest", "SelfTestProgress", "iter_self_test", "self_test"]

_LEAST_KEPT = 2
"""Slices that must be left to be fused."""


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
    return outcome_of(run, on_progress)


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
    dropped = _dropped(drop, stack)
    test = SelfTestRun(stack, params, _fusing(params, fuse_params), restorer, mask, dropped)
    steps = test.iterate()
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
