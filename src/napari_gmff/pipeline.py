"""The whole run: read → estimate focus per window → choose slices → copy pixels → results.

`iter_fuse` is the run itself, as a generator: it reports progress between slices of a window and
can be stopped there. `fuse` drives it for those who only want the result.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import EngineInput, measure_input
from napari_gmff.engines.base import EngineOptions, FocusEngine
from napari_gmff.engines.registry import make_engine
from napari_gmff.errors import FusionCancelled, ParameterError
from napari_gmff.export.atomic import check_output, staging
from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.failures import only_our_errors, reading
from napari_gmff.focus_curves import FocusCurves
from napari_gmff.fused_window import FusedWindow, fuse_window
from napari_gmff.params import FuseParams, validated
from napari_gmff.plan import FusionPlan, make_plan
from napari_gmff.reading.stack import FocusStack
from napari_gmff.result_images import result_geometry, result_images
from napari_gmff.results import Format, FusionResult, open_result
from napari_gmff.run_record import record_of_run, warning_of_invalid, warnings_of_input
from napari_gmff.window_reader import WindowReader

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    stage : str
        "measure", "fuse" or "export", in this order; "export" only where an output is named.
    done, total : int
        Steps of this stage; `done` never falls, and ends at `total`.
    """

    stage: str
    done: int
    total: int


def fuse(
    stack: FocusStack,
    *,
    params: FuseParams | None = None,
    output: str | Path | None = None,
    format: Format = "ome-zarr",
    overwrite: bool = False,
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
    format : {"ome-zarr", "ome-tiff"}
        Of the output.
    overwrite : bool
        Replace an earlier result of this program.
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
        All of them `GmffError`; nothing is left behind.
    """
    run = iter_fuse(
        stack, params=params, output=output, format=format, overwrite=overwrite, **options
    )
    # Closed here and now: an error that is kept, as Jupyter keeps the last one, holds the run's
    # frames, and with them a half-written output.
    with closing(run):
        while True:
            try:
                progress = next(run)
            except StopIteration as finished:
                result: FusionResult = finished.value
                return result
            if on_progress:
                on_progress(progress)


def iter_fuse(
    stack: FocusStack,
    *,
    params: FuseParams | None = None,
    output: str | Path | None = None,
    format: Format = "ome-zarr",
    overwrite: bool = False,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> Generator[Progress, None, FusionResult]:
    """Fuse a focus stack step by step.

    Parameters
    ----------
    stack, params, output, format, overwrite, **options
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
        If `should_stop` said so before the output was published; nothing is left behind.
    GmffError
        As for `fuse`; never a `RuntimeError`.
    """
    params = _merged(params, options)
    _check_stack(stack)
    if format not in ("ome-zarr", "ome-tiff"):
        raise ParameterError(f"format: must be ome-zarr or ome-tiff, got {format!r}")
    run = _Run(stack, params, make_plan(stack, params))
    out = None if output is None else Path(output)
    if out is not None:
        check_output(out, overwrite)
    steps = run.steps(out, format, overwrite)
    with only_our_errors(stack.name), closing(steps):
        for progress in steps:
            yield progress
            if should_stop is not None and not run.is_published and should_stop():
                raise FusionCancelled(f"{stack.name}: stopped on request")
    return run.result


def _check_stack(stack: object) -> None:
    if not isinstance(stack, FocusStack):
        found = type(stack).__name__
        raise ParameterError(f"stack: must be a FocusStack, as read_stack gives it, got {found}")


def _merged(params: FuseParams | None, options: dict[str, Any]) -> FuseParams:
    if params is None:
        return validated(FuseParams, options)
    # Only what was set: a default engine must not contradict weights given as an option.
    return validated(type(params), {**params.model_dump(exclude_unset=True), **options})


_Steps = Generator[Progress, None, None]


@dataclass
class _Run:
    """State of one run."""

    stack: FocusStack
    params: FuseParams
    plan: FusionPlan
    inputs: list[EngineInput] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_published: bool = False
    result: FusionResult = field(init=False)

    def steps(self, out: Path | None, format: Format, overwrite: bool) -> _Steps:
        self._check_order()
        engine = make_engine(self.params.engine, _engine_options(self.params))
        yield from self._measure(engine)
        ordered = self._is_ordered()
        if out is not None and format == "ome-zarr":
            yield from self._to_ome_zarr(engine, ordered, out, overwrite)
        else:
            yield from self._to_temporary(engine, ordered, out, format, overwrite)
        self.result.curves = FocusCurves(self.stack, self.plan, engine, self.inputs)
        self.is_published = True
        if out is not None:
            yield Progress("export", 1, 1)

    def _measure(self, engine: FocusEngine) -> _Steps:
        times = self.plan.times
        yield Progress("measure", 0, len(times))
        for number, time in enumerate(times, start=1):
            with reading(f"{self.stack.name}: samples of time point {time}"):
                one = measure_input(self.stack, self.plan, self.params, engine, time)
            self.inputs.append(one)
            yield Progress("measure", number, len(times))
        self.warnings.extend(warnings_of_input(self.stack, self.plan, self.inputs))

    def _to_ome_zarr(
        self, engine: FocusEngine, ordered: bool, out: Path, overwrite: bool
    ) -> _Steps:
        specs = result_images(self.stack, self.plan, self.params, ordered)
        geometry = result_geometry(self.stack, self.plan)
        with staging(out, overwrite) as folder:
            group = create_working_store(folder, specs.values())
            yield from self._fuse_windows(engine, group, specs, ordered)
            yield Progress("export", 0, 1)
            finish_ome_zarr(group, specs.values(), geometry, self._record(engine, ordered))
        self.result = open_result(out)

    def _to_temporary(
        self,
        engine: FocusEngine,
        ordered: bool,
        out: Path | None,
        format: Format,
        overwrite: bool,
    ) -> _Steps:
        specs = result_images(self.stack, self.plan, self.params, ordered)
        geometry = result_geometry(self.stack, self.plan)
        folder = Path(tempfile.mkdtemp(prefix="napari-gmff-"))
        self.result = FusionResult(specs, geometry, {}, folder, is_temporary=True)
        try:
            group = create_working_store(folder, specs.values())
            yield from self._fuse_windows(engine, group, specs, ordered)
            self.result.provenance.update(self._record(engine, ordered))
            if out is not None:
                yield Progress("export", 0, 1)
                self.result.save(out, format=format, overwrite=overwrite)
        except BaseException:  # a closed generator and Ctrl-C too
            self.result.close()
            raise

    def _fuse_windows(
        self, engine: FocusEngine, group: zarr.Group, specs: dict[str, ImageSpec], ordered: bool
    ) -> _Steps:
        windows, n_slices = self.plan.windows, len(self.plan.slices)
        counts = [engine.n_steps(n_slices, window.read.shape) for window in windows]
        total, done = sum(counts) * len(self.plan.times), 0
        yield Progress("fuse", 0, total)
        invalid_voxels = 0
        for t, time in enumerate(self.plan.times):
            for window, count in zip(windows, counts, strict=True):
                reader = WindowReader(self.stack, self.plan, time, window, self.inputs[t])
                fused: FusedWindow | None = None
                items = fuse_window(engine, reader, self.plan, window, specs, self._z(), ordered)
                with closing(items):
                    for step, fused in enumerate(items):
                        if fused is None:
                            yield Progress("fuse", done + min(step, count), total)
                assert fused is not None
                for name, block in fused.blocks.items():
                    write_block(group, specs[name], t, *fused.place, block)
                invalid_voxels += fused.invalid_voxels
                done += count
                yield Progress("fuse", done, total)
        if invalid_voxels:
            self.warnings.append(warning_of_invalid(invalid_voxels))

    def _z(self) -> NDArray[np.float64] | None:
        return self.plan.z_um(self.stack)

    def _is_steady(self) -> bool:
        z_um = self._z()
        steps = np.ones(1) if z_um is None else np.diff(z_um)
        return bool((steps > 0).all() or (steps < 0).all())

    def _check_order(self) -> None:
        if self.params.slice_order == "ordered" and not self._is_steady():
            raise ParameterError(
                f"slice_order: ordered, but the z positions of {self.stack.name} do not rise or "
                "fall steadily"
            )

    def _is_ordered(self) -> bool:
        """Decide the slice order once, from the first time point."""
        if self.params.slice_order != "auto":
            return self.params.slice_order == "ordered"
        return self._is_steady() and (self._z() is not None or self.inputs[0].ordered)

    def _record(self, engine: FocusEngine, ordered: bool) -> dict[str, Any]:
        with reading(self.stack.name):
            return record_of_run(
                self.stack,
                self.plan,
                self.params,
                engine,
                self.inputs,
                ordered=ordered,
                warnings=self.warnings,
            )


def _engine_options(params: FuseParams) -> EngineOptions:
    return EngineOptions(params.weights, params.device, params.threads, params.memory_limit_mb)
