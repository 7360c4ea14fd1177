"""`Run`: one fusion from the first sample to the finished result, in steps that can be stopped."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
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
from napari_gmff.progress import KeptWork, Progress, WindowDone
from napari_gmff.result_images import result_geometry, result_images
from napari_gmff.results import Format, FusionResult, open_fusion
from napari_gmff.run_record import (
    check_blend,
    note_of_resuming,
    record_of_run,
    warning_of_invalid,
    warnings_of_input,
)
from napari_gmff.steps import relayed
from napari_gmff.unfinished.keeper import RunKeeper
from napari_gmff.unfinished.work import unfinished_work
from napari_gmff.window_reader import WindowReader

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.engines.base import AnyEngine
    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.unfinished.record import RunRecord
    from napari_gmff.unfinished.work import UnfinishedWork


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
    _keeper: RunKeeper | None = field(default=None, init=False)
    _n_notes_told: int = field(default=0, init=False)
    _is_published: bool = field(default=False, init=False)

    def iterate(
        self,
        out: Path | None = None,
        format: Format = "ome-zarr",
        overwrite: bool = False,
        should_stop: Callable[[], bool] | None = None,
        kept: KeptWork | None = None,
    ) -> Generator[Progress, None, FusionResult]:
        """Do the work; parameters, return value and errors as for `iter_fuse`.

        What is done is kept as `kept` says where the run is stopped; without it nothing is.

        Yields
        ------
        Progress
        """
        steps = self._steps(out, format, overwrite, kept)
        with only_our_errors(self.stack.name), closing(steps):
            for progress in steps:
                yield progress
                if should_stop is not None and not self._is_published and should_stop():
                    raise FusionCancelled(f"{self.stack.name}: stopped on request")
        return self.result

    def _steps(
        self, out: Path | None, format: Format, overwrite: bool, kept: KeptWork | None
    ) -> _Steps:
        self._check_order()
        n_planes = len(self.plan.times) * len(self.plan.focus_channels) * len(self.plan.slices)
        # Before the engine is made, since loading a network takes a while.
        yield Progress("measure", 0, n_planes)
        with ExitStack() as block:
            work = None
            if kept is not None:
                work = block.enter_context(unfinished_work(kept.out, kept.is_resumed))
            engine = make_engine(self.params.engine, _engine_options(self.params))
            check_blend(engine, self.params)
            yield from self._measure(engine, n_planes, None if work is None else work.found)
            ordered = self._is_ordered()
            specs = self._specs(engine, ordered)
            if kept is not None and work is not None:
                written = None if out is None else format
                self._keeper = self._make_keeper(work, kept.out, engine, specs, written)
            self.warnings.extend(warnings_of_input(self.stack, self.plan, self._inputs))
            if out is not None and format == "ome-zarr":
                yield from self._to_ome_zarr(engine, specs, ordered, out, overwrite)
            elif self._keeper is not None:
                yield from self._to_kept_store(engine, specs, ordered, out, format, overwrite)
            else:
                yield from self._to_temporary(engine, specs, ordered, out, format, overwrite)
        if preserves_pixels(engine):
            made = curves_of_run(self.stack, self.plan, engine, self._inputs)
            self.result.curves, self.result.channel_curves = made
        self._is_published = True
        if out is not None:
            yield Progress("export", 1, 1)

    def _measure(self, engine: AnyEngine, n_planes: int, found: RunRecord | None) -> _Steps:
        if found is not None:
            self._inputs = list(found.inputs)
            yield Progress("measure", n_planes, n_planes)
            return
        stack, counter = self.measured or self.stack, itertools.count(1)
        for time in self.plan.times:
            planes = iter_measure_input(stack, self.plan, self.params, engine, time)
            measured = yield from relayed(
                planes, lambda _: Progress("measure", next(counter), n_planes)
            )
            self._inputs.append(measured)

    def _make_keeper(
        self,
        work: UnfinishedWork,
        out: Path,
        engine: AnyEngine,
        specs: dict[str, ImageSpec],
        format: str | None,
    ) -> RunKeeper:
        with reading(self.stack.name):  # the pixels of its fingerprint
            return RunKeeper(
                work, out, self.stack, self.plan, self.params, engine, self._inputs, specs, format
            )

    def _to_ome_zarr(
        self,
        engine: AnyEngine,
        specs: dict[str, ImageSpec],
        ordered: bool,
        out: Path,
        overwrite: bool,
    ) -> _Steps:
        geometry, keeper = result_geometry(self.stack, self.plan), self._keeper
        room = staging(out, overwrite) if keeper is None else keeper.work.publishing(overwrite)
        with room as folder:
            if keeper is None:
                group = create_working_store(folder, specs.values())
            else:
                group = keeper.open_store()
            yield from self._fuse_windows(engine, group, specs, ordered)
            yield Progress("export", 0, 1)
            finish_ome_zarr(group, specs.values(), geometry, self._record(engine, ordered))
        self.result = open_fusion(out)

    def _to_temporary(
        self,
        engine: AnyEngine,
        specs: dict[str, ImageSpec],
        ordered: bool,
        out: Path | None,
        format: Format,
        overwrite: bool,
    ) -> _Steps:
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

    def _to_kept_store(
        self,
        engine: AnyEngine,
        specs: dict[str, ImageSpec],
        ordered: bool,
        out: Path | None,
        format: Format,
        overwrite: bool,
    ) -> _Steps:
        """Fill a store that outlives a stopped run, and becomes a temporary one of this result."""
        assert self._keeper is not None
        work = self._keeper.work
        group = self._keeper.open_store()
        yield from self._fuse_windows(engine, group, specs, ordered)
        record, geometry = self._record(engine, ordered), result_geometry(self.stack, self.plan)
        result = FusionResult(specs, geometry, record, work.store)
        if out is not None:
            yield Progress("export", 0, 1)
            with work.exporting(overwrite) as folder:
                result.save(folder, format=format)
        self.result = replace(result, store_path=work.take_store(), is_temporary=True)

    def _fuse_windows(
        self, engine: AnyEngine, group: zarr.Group, specs: dict[str, ImageSpec], ordered: bool
    ) -> _Steps:
        yield from self._check_finished(group)
        keeper = self._keeper
        finished = {} if keeper is None else dict(sorted(keeper.entries.items()))
        windows, n_slices = self.plan.windows, len(self.plan.slices)
        n_parts = self.plan.n_parts
        counts = [n_parts * engine.n_steps(n_slices, window.read.shape) for window in windows]
        total, done = sum(counts) * len(self.plan.times), sum(counts[n] for _, n in finished)
        geometry = result_geometry(self.stack, self.plan)
        earlier = None if keeper is None else keeper.work.earlier
        yield Progress("fuse", done, total, images=specs, geometry=geometry, earlier=earlier)
        invalid_voxels = sum(entry.invalid_voxels for entry in finished.values())
        for entry in finished.values():
            self._warn(entry.notes)
        for t, time in enumerate(self.plan.times):
            for number, (window, count) in enumerate(zip(windows, counts, strict=True)):
                if (t, number) in finished:
                    continue
                reader = WindowReader(self.stack, self.plan, time, window, self._inputs[t])
                fused: FusedWindow | None = None
                n_warnings = len(self.warnings)
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
                notes = self._fresh_notes(engine)
                if keeper is not None:
                    keeper.add(t, number, fused, self.warnings[n_warnings:])
                invalid_voxels += fused.invalid_voxels
                done += count
                part = WindowDone(t, fused.place, fused.blocks)
                yield Progress("fuse", done, total, window=part, notes=notes)
        if invalid_voxels:
            self._warn([warning_of_invalid(invalid_voxels)])
        if earlier is not None and earlier.is_continued:
            self._warn([note_of_resuming(earlier)])

    def _check_finished(self, group: zarr.Group) -> _Steps:
        if self._keeper is not None and self._keeper.work.found is not None:
            n_windows = self._keeper.n_windows
            yield Progress("check", 0, n_windows)
            for done in self._keeper.iter_check(group):
                yield Progress("check", done, n_windows)

    def _fresh_notes(self, engine: AnyEngine) -> tuple[str, ...]:
        """Return what the engine has to say since the last time; the record keeps it too."""
        fresh = tuple(engine.notes[self._n_notes_told :])
        self._n_notes_told += len(fresh)
        self._warn(fresh)
        return fresh

    def _specs(self, engine: AnyEngine, ordered: bool) -> dict[str, ImageSpec]:
        is_blend = not preserves_pixels(engine)
        return result_images(self.stack, self.plan, self.params, ordered, is_blend=is_blend)

    def _warn(self, notes: Iterable[str]) -> None:
        """Keep what the record is to say, once: a resumed run may meet again what it met before."""
        for note in notes:
            if note not in self.warnings:
                self.warnings.append(note)

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
                interruptions=0 if self._keeper is None else self._keeper.interruptions,
            )


def _engine_options(params: FuseParams) -> EngineOptions:
    return EngineOptions(
        params.weights,
        params.device,
        params.threads,
        params.memory_limit_mb,
        params.halo_px,
    )
