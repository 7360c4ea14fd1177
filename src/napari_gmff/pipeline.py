"""The whole run: read → estimate focus per window → choose slices → copy pixels → results.

`iter_fuse` is the run itself, as a generator: it reports progress between slices of a window and
can be stopped there. `fuse` drives it for those who only want the result.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_gmff.engine_input import EngineInput, measure_input
from napari_gmff.engines.base import EngineOptions, FocusEngine
from napari_gmff.engines.registry import make_engine
from napari_gmff.errors import FusionCancelled, ParameterError
from napari_gmff.export.atomic import check_output, staging
from napari_gmff.export.layout import Geometry, ImageSpec
from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.focus_curves import FocusCurves
from napari_gmff.fused_window import FusedWindow, fuse_window
from napari_gmff.params import FuseParams, validated
from napari_gmff.plan import FusionPlan, make_plan
from napari_gmff.provenance import make_provenance
from napari_gmff.result_images import result_geometry, result_images
from napari_gmff.results import Format, FusionResult, open_result
from napari_gmff.window_reader import WindowReader

if TYPE_CHECKING:
    import zarr

    from napari_gmff.reading.stack import FocusStack


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    stage : str
        "measure", "fuse" or "export".
    done, total : int
        Steps of this stage.
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
    """Fuse a focus stack step by step; see `fuse` for the parameters.

    Parameters
    ----------
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
        If `should_stop` said so; nothing is left behind.
    """
    params = validated(FuseParams, {**_set_fields(params), **options})
    run = _Run(stack, params, make_plan(stack, params))
    if format not in ("ome-zarr", "ome-tiff"):
        raise ParameterError(f"format: must be ome-zarr or ome-tiff, got {format!r}")
    out = None if output is None else Path(output)
    if out is not None:
        check_output(out, overwrite)
    for progress in run.steps(out, format, overwrite):
        yield progress
        if should_stop is not None and should_stop():
            raise FusionCancelled(f"{stack.name}: stopped on request")
    return run.result


def _set_fields(params: FuseParams | None) -> dict[str, Any]:
    # Only what was set: a default engine must not contradict weights given as an option.
    return {} if params is None else params.model_dump(exclude_unset=True)


@dataclass
class _Run:
    """State of one run."""

    stack: FocusStack
    params: FuseParams
    plan: FusionPlan
    inputs: list[EngineInput] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    result: FusionResult = field(init=False)

    def steps(self, out: Path | None, format: Format, overwrite: bool) -> Iterator[Progress]:
        engine = make_engine(self.params.engine, _engine_options(self.params))
        yield Progress("measure", 0, len(self.plan.times))
        for number, time in enumerate(self.plan.times):
            self.inputs.append(measure_input(self.stack, self.plan, self.params, engine, time))
            yield Progress("measure", number + 1, len(self.plan.times))
        ordered = self._is_ordered()
        specs = result_images(self.stack, self.plan, self.params, ordered)
        geometry = result_geometry(self.stack, self.plan)
        if out is not None and format == "ome-zarr":
            with staging(out, overwrite) as folder:
                group = create_working_store(folder, specs.values())
                yield from self._fuse_windows(engine, group, specs, ordered)
                yield Progress("export", 0, 1)
                finish_ome_zarr(group, specs.values(), geometry, self._provenance(engine, ordered))
            self.result = open_result(out)
        else:
            folder = Path(tempfile.mkdtemp(prefix="napari-gmff-"))
            self.result = FusionResult(specs, geometry, {}, folder, is_temporary=True)
            try:
                group = create_working_store(folder, specs.values())
                yield from self._fuse_windows(engine, group, specs, ordered)
                self.result.provenance.update(self._provenance(engine, ordered))
                if out is not None:
                    yield Progress("export", 0, 1)
                    self.result.save(out, format=format, overwrite=overwrite)
            except BaseException:  # a closed generator and Ctrl-C too
                self.result.close()
                raise
        self.result.curves = FocusCurves(self.stack, self.plan, engine, self.inputs)
        if out is not None:
            yield Progress("export", 1, 1)

    def _fuse_windows(
        self, engine: FocusEngine, group: zarr.Group, specs: dict[str, ImageSpec], ordered: bool
    ) -> Iterator[Progress]:
        windows, n_slices = self.plan.windows, len(self.plan.slices)
        counts = [engine.n_steps(n_slices, window.read.shape) for window in windows]
        total, done = sum(counts) * len(self.plan.times), 0
        yield Progress("fuse", 0, total)
        invalid_voxels = 0
        for t, time in enumerate(self.plan.times):
            for window, count in zip(windows, counts, strict=True):
                reader = WindowReader(self.stack, self.plan, time, window, self.inputs[t])
                fused: FusedWindow | None = None
                for step, fused in enumerate(
                    fuse_window(engine, reader, self.plan, window, specs, self._z(), ordered)
                ):
                    if fused is None:
                        yield Progress("fuse", done + min(step, count), total)
                assert fused is not None
                for name, block in fused.blocks.items():
                    write_block(group, specs[name], t, *fused.place, block)
                invalid_voxels += fused.invalid_voxels
                done += count
                yield Progress("fuse", done, total)
        if invalid_voxels:
            self.warnings.append(
                f"{invalid_voxels} voxels are NaN or infinite; they were never chosen where "
                "another slice is finite"
            )

    def _z(self) -> NDArray[np.float64] | None:
        return self.plan.z_um(self.stack)

    def _is_ordered(self) -> bool:
        """Decide the slice order once, from the first time point, and note what to warn of."""
        self.warnings.extend(self.stack.notes)
        if len(self.plan.slices) == 1:
            self.warnings.append("only one slice: there is nothing to choose from")
        for time, one in zip(self.plan.times, self.inputs, strict=True):
            if one.constant_slices and len(self.plan.slices) > 1:
                numbers = ", ".join(str(self.plan.slices[k]) for k in one.constant_slices)
                self.warnings.append(f"constant slices at time {time}: {numbers}")
        z_um = self._z()
        is_steady = z_um is None or _is_steady(z_um)
        if self.params.slice_order == "ordered" and not is_steady:
            raise ParameterError(
                f"slice_order: ordered, but the z positions of {self.stack.name} do not rise or "
                "fall steadily"
            )
        if self.params.slice_order != "auto":
            return self.params.slice_order == "ordered"
        return is_steady and (z_um is not None or self.inputs[0].ordered)

    def _provenance(self, engine: FocusEngine, ordered: bool) -> dict[str, Any]:
        described = dict(engine.describe())
        z_um = self._z()
        inputs = [
            {
                "t": time,
                "channel": scale.channel,
                "range": (scale.low, scale.high),
                "noise": scale.noise,
                "weight": scale.weight,
                "sigma_px": one.sigma_px,
            }
            for time, one in zip(self.plan.times, self.inputs, strict=True)
            for scale in one.scales
        ]
        return make_provenance(
            engine=engine.name,
            score_kind=engine.score_kind,
            parameters=self.params.model_dump(mode="json"),
            source_name=self.stack.name,
            source_fingerprint=self.stack.fingerprint,
            source_axes=self.stack.axes,
            source_shape=self.stack.data.shape,
            source_dtype=self.stack.dtype.name,
            slices=self.plan.slices,
            z_um=None if z_um is None else z_um.tolist(),
            voxel_size_um=self.stack.voxel_size_um,
            inputs=inputs,
            slice_order="ordered" if ordered else "unordered",
            device=described.pop("device"),
            weights=described.pop("weights", None),
            times=self.plan.times,
            warnings=self.warnings,
        )


def _engine_options(params: FuseParams) -> EngineOptions:
    return EngineOptions(params.weights, params.device, params.threads, params.memory_limit_mb)


def _is_steady(z_um: NDArray[np.float64]) -> bool:
    steps = np.diff(z_um)
    return bool((steps > 0).all() or (steps < 0).all())
