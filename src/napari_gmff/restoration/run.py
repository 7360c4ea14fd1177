"""Restore a fused image inside a mask, and show what was changed and what speaks against it.

`iter_restore` is a run as a generator: it reports progress between the steps of the model and can
be stopped there. `restore` drives it for those who only want the result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ConsentError, ParameterError
from napari_gmff.export.atomic import check_not_source, check_output
from napari_gmff.export.saving import check_format, check_replaces_no_fusion
from napari_gmff.marks import BANNER, is_restored
from napari_gmff.params import validated
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.restoration.progress import RestorationProgress
from napari_gmff.restoration.restoration_run import RestorationRun
from napari_gmff.results import FusionResult
from napari_gmff.steps import outcome_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_gmff.params import Format
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.restoration_result import RestorationResult

__all__ = ["RestorationProgress", "iter_restore", "restore"]


def restore(
    fused: FusionResult,
    *,
    accept_generative: bool = False,
    stack: FocusStack | None = None,
    mask: ArrayLike | None = None,
    restorer: Restorer | None = None,
    params: RestoreParams | None = None,
    output: str | Path | None = None,
    format: Format = "ome-zarr",
    overwrite: bool = False,
    on_progress: Callable[[RestorationProgress], None] | None = None,
    **options: Any,
) -> RestorationResult:
    """Let a generative model invent plausible detail where a fused image has low confidence.

    The result is no measurement. Outside the mask it equals the fused image bit for bit; beside it
    come the mask, the difference, and with the stack a map of where it contradicts the slices.

    Parameters
    ----------
    fused : FusionResult
        Stays as it is. Must stay open.
    accept_generative : bool
        Must be True: content may be invented.
    stack : FocusStack, optional
        The stack it was made from, to compare with. Must stay open.
    mask : array_like, optional
        Where pixels may change: bool or 0 and 1, axes YX or TYX of the fused image. By low
        confidence (`RestoreParams.mask_below`) where left out.
    restorer : Restorer, optional
        The model; the stored one that `params` name where left out.
    params : RestoreParams, optional
        All parameters; defaults where left out.
    output : str or Path, optional
        Folder to write, complete or not at all. Without it the result lives in a temporary store
        until it is closed.
    format : {"ome-zarr", "ome-zarr-0.4", "ome-tiff", "imagej"}
        Of the output.
    overwrite : bool
        Replace an earlier result of this program.
    on_progress : callable, optional
        Called with `RestorationProgress`, also between the steps of the model.
    **options
        Single fields of `RestoreParams`, which override `params`.

    Returns
    -------
    RestorationResult
        Restored image, fused image, mask and differences, read lazily.

    Raises
    ------
    ConsentError
        If `accept_generative` is not True, or a model was not agreed to.
    ParameterError
        If a parameter, the mask or the stack does not fit, or there is nothing to restore.
    SourceError, OutputError, WeightsError, DeviceError
        All of them `GmffError`; nothing is left behind.
    """
    run = iter_restore(
        fused,
        accept_generative=accept_generative,
        stack=stack,
        mask=mask,
        restorer=restorer,
        params=params,
        output=output,
        format=format,
        overwrite=overwrite,
        **options,
    )
    return outcome_of(run, on_progress)


def iter_restore(
    fused: FusionResult,
    *,
    accept_generative: bool = False,
    stack: FocusStack | None = None,
    mask: ArrayLike | None = None,
    restorer: Restorer | None = None,
    params: RestoreParams | None = None,
    output: str | Path | None = None,
    format: Format = "ome-zarr",
    overwrite: bool = False,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> Generator[RestorationProgress, None, RestorationResult]:
    """Restore a fused image step by step.

    Parameters
    ----------
    fused, accept_generative, stack, mask, restorer, params, output, format, overwrite, **options
        As for `restore`.
    should_stop : callable, optional
        Asked between the steps of the model; a true answer ends the run. Closing the generator
        does the same.

    Yields
    ------
    RestorationProgress

    Returns
    -------
    RestorationResult
        As the value of `StopIteration`.

    Raises
    ------
    RestorationCancelled
        If `should_stop` said so before the output was published; nothing is left behind.
    GmffError
        As for `restore`; never a `RuntimeError`.
    """
    check_accepted(accept_generative)
    params = merged_params(params, options)
    _check_fused(fused)
    check_format(format)
    if params.back_projection and stack is None:
        raise ParameterError(
            "back_projection: needs the stack that was fused, got "
            f"{params.back_projection} rounds without one"
        )
    out = None if output is None else Path(output)
    if out is not None:
        check_output(out, overwrite)
        check_replaces_no_fusion(out)
        sources = () if stack is None else stack.sources
        local = [source for source in sources if "://" not in source]
        check_not_source(out, [fused.store_path, *local])
    run = RestorationRun(fused, params, stack, mask, restorer)
    return (yield from run.iterate(out, format, overwrite, should_stop))


def check_accepted(accept_generative: object) -> None:
    """Refuse to run a generative model that was not asked for in so many words.

    Raises
    ------
    ConsentError
        If `accept_generative` is anything but True.
    """
    if accept_generative is not True:
        raise ConsentError(
            f"accept_generative: must be True, got {accept_generative!r}. {BANNER} "
            "Outside the mask pixels stay as measured; inside, content may be invented."
        )


def merged_params(params: RestoreParams | None, options: dict[str, Any]) -> RestoreParams:
    """Return parameters with single fields replaced.

    Raises
    ------
    ParameterError
        If there is no such field, or it is outside its limits.
    """
    if params is None:
        return validated(RestoreParams, options)
    return validated(type(params), {**params.model_dump(exclude_unset=True), **options})


def _check_fused(fused: object) -> None:
    if isinstance(fused, FusionResult) and not is_restored(fused.provenance):
        return
    found = type(fused).__name__
    raise ParameterError(
        f"fused: must be a FusionResult, which is measured, as fuse or open_result gives it, got "
        f"{found}"
    )
