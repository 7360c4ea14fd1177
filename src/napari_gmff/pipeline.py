"""The whole story: read → estimate focus per window → choose slices → copy pixels → results.

`iter_fuse` is a run as a generator: it reports progress between slices of a window and can be
stopped there. `fuse` drives it for those who only want the result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError
from napari_gmff.export.atomic import check_output
from napari_gmff.export.saving import check_format
from napari_gmff.params import FuseParams, validated
from napari_gmff.plan import make_plan
from napari_gmff.progress import KeptWork, Progress, WindowDone
from napari_gmff.reading.stack import FocusStack
from napari_gmff.run import Run
from napari_gmff.steps import outcome_of

if TYPE_CHECKING:
    from napari_gmff.results import Format, FusionResult

__all__ = ["Progress", "WindowDone", "fuse", "iter_fuse"]


def fuse(
    stack: FocusStack,
    *,
    params: FuseParams | None = None,
    output: str | Path | None = None,
    format: Format = "ome-zarr",
    overwrite: bool = False,
    resume: bool = False,
    keep_unfinished: bool | str | Path = False,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> FusionResult:
    """Fuse a focus stack.

    Parameters
    ----------
    stack : FocusStack
        As `read_stack` gives it.
    params : FuseParams, optional
        All parameters; defaults where left out.
    output : str or Path, optional
        Folder to write, complete or not at all. Without it the result lives in a temporary store
        until it is closed.
    format : {"ome-zarr", "ome-zarr-0.4", "ome-tiff", "imagej"}
        Of the output.
    overwrite : bool
        Replace an earlier result of this program.
    resume : bool
        Go on with the unfinished work that a stopped run kept beside `output`; start where there
        is none. The result is, pixel for pixel, that of a run that was not stopped.
    keep_unfinished : bool, str or Path
        Where the run is stopped, by an error, Ctrl-C or a kill, keep its finished windows in a
        hidden folder beside `output`, for `resume`, which implies it. Work that is there already
        is replaced. A path says beside which output to keep it where the result is saved later.
    on_progress : callable, optional
        Called with `Progress`, also between slices of a window.
    **options
        Single fields of `FuseParams`, which override `params`.

    Returns
    -------
    FusionResult
        Fused image, focus index, depth and confidence, read lazily.

    Raises
    ------
    ParameterError, SourceError, OutputError, WeightsError, DeviceError
        All of them `GmffError`; nothing is left behind but unfinished work that was asked for.
    ResumeError
        If unfinished work is in use, damaged beyond use, or of other parameters or another source.
    """
    run = iter_fuse(
        stack,
        params=params,
        output=output,
        format=format,
        overwrite=overwrite,
        resume=resume,
        keep_unfinished=keep_unfinished,
        **options,
    )
    return outcome_of(run, on_progress)


def iter_fuse(
    stack: FocusStack,
    *,
    params: FuseParams | None = None,
    output: str | Path | None = None,
    format: Format = "ome-zarr",
    overwrite: bool = False,
    resume: bool = False,
    keep_unfinished: bool | str | Path = False,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> Generator[Progress, None, FusionResult]:
    """Fuse a focus stack step by step.

    Parameters
    ----------
    stack, params, output, format, overwrite, resume, keep_unfinished, **options
        As for `fuse`.
    should_stop : callable, optional
        Asked between slices of a window; a true answer ends the run. Closing the generator does
        the same.

    Yields
    ------
    Progress

    Returns
    -------
    FusionResult
        As the value of `StopIteration`.

    Raises
    ------
    FusionCancelled
        If `should_stop` said so before the output was published; nothing is left behind but
        unfinished work that was asked for.
    GmffError
        As for `fuse`; never a `RuntimeError`.
    """
    params = _merged(params, options)
    _check_stack(stack)
    check_format(format, params.shard_px)
    run = Run(stack, params, make_plan(stack, params))
    out = None if output is None else Path(output)
    if out is not None:
        check_output(out, overwrite)
    kept = _kept_work(out, resume, keep_unfinished)
    return (yield from run.iterate(out, format, overwrite, should_stop, kept))


def _kept_work(out: Path | None, resume: bool, keep: bool | str | Path) -> KeptWork | None:
    """Return where unfinished work is kept, None for nowhere."""
    if isinstance(keep, bool):
        if not (resume or keep):
            return None
        if out is None:
            name = "resume" if resume else "keep_unfinished"
            raise ParameterError(f"{name}: needs an output, beside which unfinished work is kept")
        return KeptWork(out, resume)
    check_output(Path(keep), overwrite=True)
    return KeptWork(Path(keep), resume)


def _check_stack(stack: object) -> None:
    if not isinstance(stack, FocusStack):
        found = type(stack).__name__
        raise ParameterError(f"stack: must be a FocusStack, as read_stack gives it, got {found}")


def _merged(params: FuseParams | None, options: dict[str, Any]) -> FuseParams:
    if params is None:
        return validated(FuseParams, options)
    # Only what was set: a default engine must not contradict weights given as an option.
    return validated(type(params), {**params.model_dump(exclude_unset=True), **options})
