"""`PartWork`: restore one image from all seeds, and compare it with the slices."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_gmff.errors import GmffError
from napari_gmff.restoration.composition import as_pixels, blended
from napari_gmff.restoration.consistency.check import StackCheck
from napari_gmff.restoration.masks import feathered
from napari_gmff.restoration.progress import RestorationProgress
from napari_gmff.restoration.seeds import SeedSpread
from napari_gmff.restoration.value_range import ValueRange, value_range
from napari_gmff.steps import relayed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.restoration.consistency.measured_slices import MeasuredSlices
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.parts import Part, PartSource
    from napari_gmff.restoration.restorer import Restorer, StepDone

OutcomeT = TypeVar("OutcomeT")


@dataclass(frozen=True)
class RestoredPart:
    """One restored image and what belongs to it; all of the size of the part's box.

    Attributes
    ----------
    part : Part
    values : ValueRange
        What the model saw as black and white.
    fused, restored : ndarray, (C, h, w)
        Pixels before and after, of the first seed; of one dtype.
    inside : ndarray, (h, w), bool
        The mask.
    mean : ndarray, (C, h, w), or None
        Of all seeds, as pixels; None of a single one.
    spread : ndarray, (C, h, w), float32, or None
        Standard deviation of all seeds in grey levels; None of a single one.
    contradiction : ndarray, (h, w), float32, or None
        In units of the slices' noise; None without the stack.
    """

    part: Part
    values: ValueRange
    fused: NDArray[Any]
    restored: NDArray[Any]
    inside: NDArray[np.bool_]
    mean: NDArray[Any] | None = None
    spread: NDArray[np.float32] | None = None
    contradiction: NDArray[np.float32] | None = None

    @property
    def difference(self) -> NDArray[np.float64]:
        """Restored − fused in grey levels, (C, h, w); 0 outside the mask, whatever is there."""
        off = np.zeros(self.fused.shape, np.float64)
        np.subtract(self.restored, self.fused, out=off, where=self.inside, dtype=np.float64)
        return off

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Which pixels differ, (h, w)."""
        return np.asarray((self.difference != 0).any(axis=0))

    def images(self) -> dict[str, NDArray[Any]]:
        """Return the images with channels, (C, h, w), by the names they have in a result."""
        difference = self.difference.astype(np.float32)
        made = {
            "restored": self.restored,
            "difference": difference,
            "abs_difference": np.abs(difference),
        }
        if self.mean is not None and self.spread is not None:
            made |= {"restored_mean": self.mean, "spread": self.spread}
        return made


class PartWork:
    """Restores one image.

    Parameters
    ----------
    part : Part
        What the model is given.
    source : PartSource
        Where its pixels and its mask come from.
    params : RestoreParams
    restorer : Restorer
    slices : MeasuredSlices or None
        What to compare with.
    """

    def __init__(
        self,
        part: Part,
        source: PartSource,
        params: RestoreParams,
        restorer: Restorer,
        slices: MeasuredSlices | None,
    ) -> None:
        self._part, self._params, self._restorer = part, params, restorer
        self._name = source.name
        self._n_notes_told = len(getattr(restorer, "notes", ()))
        self._pixels = source.pixels(part.time, part.channels, part.box)
        mask = source.mask(part.time, part.channels)[part.box.slices]
        self._weight = feathered(mask, params.feather_px)
        self._values = value_range(params.input_range, self._pixels.dtype, source.samples(part))
        self._check = None
        if slices is not None:
            self._check = StackCheck(slices, part, self._pixels, self._weight)

    def iterate(
        self, number: int, n_parts: int
    ) -> Generator[RestorationProgress, None, RestoredPart]:
        """Do the work.

        Parameters
        ----------
        number, n_parts : int
            Which of the images of the run this is, from 1.

        Yields
        ------
        RestorationProgress

        Returns
        -------
        RestoredPart
        """
        self._place = RestorationProgress("restore", 0, 0, image_number=number, n_images=n_parts)
        n_seeds, inside = self._params.n_seeds, self._weight > 0
        given = self._values.seen(self._pixels)
        spread, first = SeedSpread(), None
        if self._check is not None:
            yield from self._counted("check", self._check.measure(), self._check.n_measure_steps)
        for seed_number in range(1, n_seeds + 1):
            values = yield from self._values_of_seed(given, seed_number)
            if n_seeds > 1:
                spread.add(np.where(inside, values, 0))
            if first is None:
                first = as_pixels(values, self._pixels, self._weight)
        assert first is not None
        contradiction = None
        if self._check is not None:
            steps = self._check.contradiction(first)
            contradiction = yield from self._counted("check", steps, self._check.n_steps)
        mean = as_pixels(spread.mean, self._pixels, self._weight) if n_seeds > 1 else None
        deviation = spread.deviation.astype(np.float32) if n_seeds > 1 else None
        return RestoredPart(
            self._part,
            self._values,
            self._pixels,
            first,
            inside,
            mean,
            deviation,
            contradiction,
        )

    def _values_of_seed(
        self, given: NDArray[np.float32], seed_number: int
    ) -> Generator[RestorationProgress, None, NDArray[np.float64]]:
        """Return one restoration in grey levels, (C, h, w), not rounded yet."""
        restored = yield from self._run_model(given, seed_number)
        change = self._values.change(given, restored, len(self._part.channels))
        values = blended(self._pixels, change, self._weight)
        rounds = self._params.back_projection
        for done in range(rounds):
            assert self._check is not None
            steps = self._check.project_back(values)
            n_steps = self._check.n_steps
            values = yield from self._counted(
                "back-project", steps, n_steps, done * n_steps, rounds * n_steps
            )
        return values

    def _run_model(
        self, given: NDArray[np.float32], seed_number: int
    ) -> Generator[RestorationProgress, None, NDArray[np.float32]]:
        n_seeds, n_steps = self._params.n_seeds, self._params.steps
        seed = self._params.seed + seed_number - 1
        n_before = (self._place.image_number - 1) * n_seeds + seed_number - 1
        place = replace(self._place, seed=seed, seed_number=seed_number, n_seeds=n_seeds)

        def progress(done: int) -> RestorationProgress:
            total = self._place.n_images * n_seeds * n_steps
            return replace(place, done=n_before * n_steps + done, total=total)

        yield progress(0)

        def after(step: StepDone) -> RestorationProgress:
            nonlocal n_steps
            n_steps = max(step.total, 1)
            return replace(progress(min(step.done, n_steps)), notes=self._fresh_notes())

        restored = yield from relayed(self._restorer.restore(given, seed), after)
        return self._checked(restored, given)

    def _fresh_notes(self) -> tuple[str, ...]:
        """Return what the model has to say since the last time, such as how memory was saved."""
        notes = tuple(getattr(self._restorer, "notes", ()))
        fresh, self._n_notes_told = notes[self._n_notes_told :], len(notes)
        return fresh

    def _checked(self, restored: Any, given: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the model gave, if it is an image of the right size."""
        image = np.asarray(restored, np.float32)
        if image.shape != given.shape:
            raise GmffError(
                f"{self._name}: the model must give an image of {given.shape}, got {image.shape}"
            )
        if not np.isfinite(image).all():
            raise GmffError(
                f"{self._name}: the model gave NaN or infinity; precision float32 may help"
            )
        return image

    def _counted(
        self,
        stage: str,
        steps: Generator[None, None, OutcomeT],
        n_steps: int,
        done: int = 0,
        total: int | None = None,
    ) -> Generator[RestorationProgress, None, OutcomeT]:
        """Run steps of the comparison, and say after each where they stand."""
        place = replace(self._place, stage=stage, total=n_steps if total is None else total)
        counter = itertools.count(done + 1)
        return relayed(steps, lambda _: replace(place, done=next(counter)))
