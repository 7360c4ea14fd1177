"""`RestorationRun`: one restoration from the mask to the finished result, in steps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError, RestorationCancelled
from napari_gmff.failures import only_our_errors
from napari_gmff.restoration.consistency.measured_slices import MeasuredSlices
from napari_gmff.restoration.images import restoration_images
from napari_gmff.restoration.part_work import PartWork
from napari_gmff.restoration.parts import Part, PartSource
from napari_gmff.restoration.progress import RestorationProgress
from napari_gmff.restoration.record import RestorationNotes, record_of_restoration
from napari_gmff.restoration.store import RestorationStore
from napari_gmff.restoration_result import RestorationResult
from napari_gmff.results import open_result
from napari_gmff.steps import relayed

if TYPE_CHECKING:
    from napari_gmff.export.layout import Geometry
    from napari_gmff.params import Format
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.part_work import RestoredPart
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.results import FusionResult

_Steps = Generator[RestorationProgress, None, None]


@dataclass
class RestorationRun:
    """State of one run.

    Attributes
    ----------
    fused, params
        What is restored, and how.
    stack : FocusStack or None
        What it was fused from.
    mask : array_like or None
        Given mask.
    restorer : Restorer or None
        The model; loaded where None.
    result : RestorationResult
        There once the steps are done.
    """

    fused: FusionResult
    params: RestoreParams
    stack: FocusStack | None = None
    mask: Any = None
    restorer: Restorer | None = None
    result: RestorationResult = field(init=False)
    _notes: RestorationNotes = field(default_factory=RestorationNotes, init=False)
    _is_published: bool = field(default=False, init=False)

    def iterate(
        self,
        out: Path | None = None,
        format: Format = "ome-zarr",
        overwrite: bool = False,
        should_stop: Callable[[], bool] | None = None,
    ) -> Generator[RestorationProgress, None, RestorationResult]:
        """Do the work; parameters, return value and errors as for `iter_restore`.

        Yields
        ------
        RestorationProgress
        """
        name = str(self.fused.provenance["source"]["name"])
        steps = self._steps(out, format, overwrite)
        with only_our_errors(name, "restoring"), closing(steps):
            for progress in steps:
                yield progress
                if should_stop is not None and not self._is_published and should_stop():
                    raise RestorationCancelled(f"{name}: restoring stopped on request")
        return self.result

    def _steps(self, out: Path | None, format: Format, overwrite: bool) -> _Steps:
        source = PartSource(self.fused, self.params, self.mask)
        slices = None
        if self.stack is not None:
            slices = MeasuredSlices(self.stack, self.fused.provenance)
        parts: list[Part] = []
        n_times = len(source.times)
        yield RestorationProgress("prepare", 0, n_times)
        for done, time in enumerate(source.times, start=1):
            parts += source.parts_of(time)
            yield RestorationProgress("prepare", done, n_times)
        if not parts:
            raise ParameterError(source.why_empty)
        restorer = self._loaded_restorer()
        folder = Path(tempfile.mkdtemp(prefix="napari-gmff-restored-"))
        specs = restoration_images(
            self.fused,
            n_seeds=self.params.n_seeds,
            has_contradiction=slices is not None,
            n_times=n_times,
            shape_yx=source.region.shape,
        )
        geometry = _geometry(self.fused, source)
        self.result = RestorationResult(specs, geometry, {}, folder, is_temporary=True)
        try:
            store = RestorationStore(folder, specs, source)
            yield from self._fill(store, source, parts, slices, restorer)
            record = record_of_restoration(
                self.fused.provenance,
                self.params,
                restorer,
                self._notes,
                is_mask_given=self.mask is not None,
                is_checked=slices is not None,
            )
            self.result.provenance.update(record)
            if out is not None:
                yield RestorationProgress("export", 0, 1)
                self._publish(out, format, overwrite)
        except BaseException:  # a closed generator and Ctrl-C too
            self.result.close()
            raise
        self._is_published = True
        if out is not None:
            yield RestorationProgress("export", 1, 1)

    def _loaded_restorer(self) -> Restorer:
        if self.restorer is not None:
            return self.restorer
        from napari_gmff.restoration.models.load import load_restorer

        return load_restorer(self.params)

    def _publish(self, out: Path, format: Format, overwrite: bool) -> None:
        self.result.save(out, format=format, overwrite=overwrite)
        if format == "ome-zarr":
            saved = open_result(out)
            assert isinstance(saved, RestorationResult)
            self.result.close()
            self.result = saved

    def _fill(
        self,
        store: RestorationStore,
        source: PartSource,
        parts: list[Part],
        slices: MeasuredSlices | None,
        restorer: Restorer,
    ) -> _Steps:
        n_times = len(source.times)
        for time in source.times:
            for _ in store.iter_copy(time):
                yield RestorationProgress("prepare", n_times, n_times)
            for number, part in enumerate(parts, start=1):
                if part.time == time:
                    work = PartWork(part, source, self.params, restorer, slices)
                    restored = yield from self._noted(work.iterate(number, len(parts)))
                    store.write_part(restored)
                    self._notes.add(restored)
            self._notes.add_counts(store.counts())

    def _noted(
        self, steps: Generator[RestorationProgress, None, RestoredPart]
    ) -> Generator[RestorationProgress, None, RestoredPart]:
        """Keep for the record what the user is told."""

        def noted(progress: RestorationProgress) -> RestorationProgress:
            self._notes.warnings.extend(progress.notes)
            return progress

        return relayed(steps, noted)


def _geometry(fused: FusionResult, source: PartSource) -> Geometry:
    """Return where the restored part lies."""
    corner = (source.region.y0, source.region.x0)
    origin_y, origin_x = (
        start + first * (size or 0.0)
        for start, first, size in zip(
            fused.geometry.origin_um, corner, fused.geometry.pixel_size_um, strict=True
        )
    )
    return replace(fused.geometry, origin_um=(origin_y, origin_x))
