"""`RunKeeper`: what one run does with the unfinished work that it found, or will leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.unfinished.identity import check_same, identity_of
from napari_gmff.unfinished.journal import WindowEntry
from napari_gmff.unfinished.record import RunRecord
from napari_gmff.unfinished.store import block_sums

if TYPE_CHECKING:
    import zarr

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.engines.base import AnyEngine
    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.fused_window import FusedWindow
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.unfinished.work import UnfinishedWork


class RunKeeper:
    """Keeps a run's finished windows, and knows those of the run before it.

    Parameters
    ----------
    work : UnfinishedWork
        Held by this run.
    out : Path
        The output that it belongs to.
    stack, plan, params, engine, inputs
        Of the run; `inputs` are those of ``work.found`` where there is one.
    specs : dict of str to ImageSpec
        Images of the result.
    format : str or None
        Of the output; None for a result that is saved later.

    Raises
    ------
    ResumeError
        If the work found is of another run.
    """

    def __init__(
        self,
        work: UnfinishedWork,
        out: Path,
        stack: FocusStack,
        plan: FusionPlan,
        params: FuseParams,
        engine: AnyEngine,
        inputs: Sequence[EngineInput],
        specs: Mapping[str, ImageSpec],
        format: str | None,
    ) -> None:
        self.work = work
        self._specs = specs
        identity = identity_of(stack, params, engine, list(specs.values()), format)
        if work.found is not None:
            check_same(work.found.identity, identity, out)
        self._places = [plan.place_of(window) for window in plan.windows]
        self._n_times = len(plan.times)
        self._record = RunRecord(
            output=out.name,
            identity=identity,
            parameters=params.model_dump(mode="json"),
            sources=list(stack.sources),
            n_windows=self.n_windows,
            inputs=list(inputs),
        )
        # What is marked as no data later is not compared. Only an OME-Zarr is marked in place.
        self._least = None if format != "ome-zarr" else params.depth_min_confidence

    @property
    def n_windows(self) -> int:
        """Windows of all time points."""
        return self._n_times * len(self._places)

    @property
    def entries(self) -> dict[tuple[int, int], WindowEntry]:
        """Finished windows, by time point and number of the window."""
        return self.work.entries

    @property
    def interruptions(self) -> int:
        """How often the work was stopped until now."""
        return self.work.earlier.interruptions if self.work.earlier else 0

    def open_store(self) -> zarr.Group:
        """Return the store to fill: that of the work found, else a new one."""
        if self.work.found is not None:
            return self.work.reopened(self._specs)
        return self.work.created(self._specs, self._record)

    def iter_check(self, group: zarr.Group) -> Iterator[int]:
        """Compare the store with the journal.

        Yields
        ------
        int
            Windows looked at; nothing where no work was found.
        """
        if self.work.found is not None:
            steps = self.work.iter_check(
                group, self._specs, self._n_times, self._places, self._least
            )
            for done, _ in enumerate(steps, start=1):
                yield done

    def add(self, t: int, number: int, fused: FusedWindow, notes: Sequence[str]) -> None:
        """Note a window whose pixels are in the store."""
        sums = block_sums(fused.blocks, self._specs, self._least)
        self.work.add(WindowEntry(t, number, sums, fused.invalid_voxels, tuple(notes)))
