"""`Run`: one fusion from the first sample to the finished result, in steps that can be stopped."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.engine_input import EngineInput, iter_measure_input
from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.registry import make_engine, preserves_pixels
from napari_gmff.errors import FusionCancelled, ParameterError
from napari_gmff.export.atomic import staging
from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.failures import only_our_errors, reading
from napari_gmff.focus_curves import curves_of_run
from napari_gmff.fused_window import FusedWindow, fuse_window
from napari_gmff.result_images import result_geometry, result_images
from napari_gmff.results import Format, FusionResult, open_result
from napari_gmff.run_record import check_blend, record_of_run, warning_of_invalid, warnings_of_input
from napari_gmff.window_reader import WindowReader

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.engines.base import AnyEngine
    from napari_gmff.export.layout import Geometry, ImageSpec
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack


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
        "measure", "fuse" or "export", in this order; "export" only where an output is named.
    done, total : int
        Steps of this stage; `done` never falls, and ends at `total`.
    images : dict of str to ImageSpec, optional
        With the first step of "fuse": what the result will hold.
    geometry : Geometry, optional
        With the first step of "fuse": where its pixels will lie.
    window : WindowDone, optional
        The part that this step finished.
    notes : tuple of str
        What came up in this step that the user should know, such as a lack of memory on the GPU
        and how the run goes on.
    """

    stage: str
    done: int
    total: int
    images: dict[str, ImageSpec] | None = field(default=None, repr=False, compare=False)
    geometry: Geometry | None = field(default=None, repr=False, compare=False)
    window: WindowDone | None = field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()


_Steps = Generator[Progress, None, None]


@dataclass
class Run:
    """State of one run.

    Attributes
    ----------
    stack, params, plan
        What is fused, how, and in which windows.
    measured : FocusStack, optional
        What range, noise and slice order are measured on; the whole stack where left out.
    warnings : list of str
        What the user is told, and the result's record keeps.
    result : FusionResult
        There once the steps are done.
    """

    stack: FocusStack
    params: FuseParams
    plan: FusionPlan
    measured: FocusStack | None = None
    warnings: list[str] = field(default_factory=list)
    result: FusionResult = field(init=False)
    _inputs: list[EngineInput] = field(default_factory=list, init=False)
    _n_notes_told: int = field(default=0, init=False)
    _is_published: bool = field(default=False, init=False)

    def iterate(
        self,
        out: Path | None = None,
        format: Format = "ome-zarr",
        overwrite: bool = False,
        should_stop: Callable[[], bool] | None = None,
    ) -> Generator[Progress, None, FusionResult]:
        """Do the work; parameters, return value and errors as for `iter_fuse`.

        Yields
        ------
        Progress
        """
        steps = self._steps(out, format, overwrite)
        with only_our_errors(self.stack.name), closing(steps):
            for progress in steps:
                yield progress
                if should_stop is not None and not self._is_published and should_stop():
                    raise FusionCancelled(f"{self.stack.name}: stopped on request")
        return self.result

    def _steps(self, out: Path | None, format: Format, overwrite: bool) -> _Steps:
        self._check_order()
        n_planes = len(self.plan.times) * len(self.plan.focus_channels) * len(self.plan.slices)
        # Before the engine is made, since loading a network takes a while.
        yield Progress("measure", 0, n_planes)
        engine = make_engine(self.params.engine, _engine_options(self.params))
        check_blend(engine, self.params)
        yield from self._measure(engine, n_planes)
        ordered = self._is_ordered()
        if out is not None and format == "ome-zarr":
            yield from self._to_ome_zarr(engine, ordered, out, overwrite)
        else:
            yield from self._to_temporary(engine, ordered, out, format, overwrite)
        if preserves_pixels(engine):
            made = curves_of_run(self.stack, self.plan, engine, self._inputs)
            self.result.curves, self.result.channel_curves = made
        self._is_published = True
        if out is not None:
            yield Progress("export", 1, 1)

    def _measure(self, engine: AnyEngine, n_planes: int) -> _Steps:
        stack, done = self.measured or self.stack, 0
        for time in self.plan.times:
            planes = iter_measure_input(stack, self.plan, self.params, engine, time)
            while True:
                try:
                    next(planes)
                except StopIteration as finished:
                    self._inputs.append(finished.value)
                    break
                done += 1
                yield Progress("measure", done, n_planes)
        self.warnings.extend(warnings_of_input(self.stack, self.plan, self._inputs))

    def _to_ome_zarr(self, engine: AnyEngine, ordered: bool, out: Path, overwrite: bool) -> _Steps:
        specs = self._specs(engine, ordered)
        geometry = result_geometry(self.stack, self.plan)
        with staging(out, overwrite) as folder:
            group = create_working_store(folder, specs.values())
            yield from self._fuse_windows(engine, group, specs, ordered)
            yield Progress("export", 0, 1)
            finish_ome_zarr(group, specs.values(), geometry, self._record(engine, ordered))
        self.result = open_result(out)

    def _to_temporary(
        self,
        engine: AnyEngine,
        ordered: bool,
        out: Path | None,
        format: Format,
        overwrite: bool,
    ) -> _Steps:
        specs = self._specs(engine, ordered)
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
        self, engine: AnyEngine, group: zarr.Group, specs: dict[str, ImageSpec], ordered: bool
    ) -> _Steps:
        windows, n_slices = self.plan.windows, len(self.plan.slices)
        n_parts = self.plan.n_parts
        counts = [n_parts * engine.n_steps(n_slices, window.read.shape) for window in windows]
        total, done = sum(counts) * len(self.plan.times), 0
        geometry = result_geometry(self.stack, self.plan)
        yield Progress("fuse", 0, total, images=specs, geometry=geometry)
        invalid_voxels = 0
        for t, time in enumerate(self.plan.times):
            for window, count in zip(windows, counts, strict=True):
                reader = WindowReader(self.stack, self.plan, time, window, self._inputs[t])
                fused: FusedWindow | None = None
                items = fuse_window(engine, reader, self.plan, window, specs, self._z(), ordered)
                with closing(items):
                    for step, fused in enumerate(items):
                        if fused is None:
                            # A step may be more than was counted: it was done again, sparingly.
                            now = done + min(step, count)
                            yield Progress("fuse", now, total, notes=self._fresh_notes(engine))
                assert fused is not None
                for name, block in fused.blocks.items():
                    write_block(group, specs[name], t, *fused.place, block)
                invalid_voxels += fused.invalid_voxels
                done += count
                finished = WindowDone(t, fused.place, fused.blocks)
                notes = self._fresh_notes(engine)
                yield Progress("fuse", done, total, window=finished, notes=notes)
        if invalid_voxels:
            self.warnings.append(warning_of_invalid(invalid_voxels))

    def _fresh_notes(self, engine: AnyEngine) -> tuple[str, ...]:
        """Return what the engine has to say since the last time; the record keeps it too."""
        fresh = tuple(engine.notes[self._n_notes_told :])
        self._n_notes_told += len(fresh)
        self.warnings.extend(fresh)
        return fresh

    def _specs(self, engine: AnyEngine, ordered: bool) -> dict[str, ImageSpec]:
        is_blend = not preserves_pixels(engine)
        return result_images(self.stack, self.plan, self.params, ordered, is_blend=is_blend)

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
        looks_ordered = all(part.ordered for part in self._inputs[0].parts)
        return self._is_steady() and (self._z() is not None or looks_ordered)

    def _record(self, engine: AnyEngine, ordered: bool) -> dict[str, Any]:
        with reading(self.stack.name):
            return record_of_run(
                self.stack,
                self.plan,
                self.params,
                engine,
                self._inputs,
                ordered=ordered,
                warnings=self.warnings,
            )


def _engine_options(params: FuseParams) -> EngineOptions:
    return EngineOptions(
        params.weights,
        params.device,
        params.threads,
        params.memory_limit_mb,
        params.halo_px,
    )
