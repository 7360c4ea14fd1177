"""What a correction asks of a thread: filling, and files. No layer is touched here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.correction_labels import only_known, slice_numbers
from napari_gmff.corrections import Corrections, load_corrections
from napari_gmff.filling import filled_from_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.results import FusionResult


@dataclass(frozen=True, eq=False)
class Pixels:
    """Labels to be set.

    Attributes
    ----------
    indices : tuple of ndarray
        Places in labels (T)YX.
    labels : ndarray
        What to set there.
    expected : int or None
        Set nothing where something else was painted in the meantime.
    """

    indices: tuple[NDArray[Any], ...]
    labels: NDArray[Any]
    expected: int | None = None

    def where(self, labels: NDArray[Any]) -> Pixels:
        """Return those that are still to be set."""
        if self.expected is None:
            return self
        still = labels[self.indices] == self.expected
        return Pixels(tuple(one[still] for one in self.indices), self.labels[still])


def labels_that_fill(
    original: FusionResult, index: NDArray[Any], labels: NDArray[Any], mark: int, time: int
) -> Pixels | str:
    """Choose slices for the marked area from those around it.

    Parameters
    ----------
    original : FusionResult
        Whose slices and positions count.
    index, labels : ndarray
        Axes (T)YX: the focus map, and what is painted over it.
    mark : int
        Label of the area.
    time : int
        Time point of the area.

    Returns
    -------
    Pixels or str
        Words for the user where nothing is marked.
    """
    frame, painted = (one[time] if one.ndim == 3 else one for one in (index, labels))
    marked = painted == mark
    if not marked.any():
        return "Nothing is marked here: press “Mark an area” and paint over what is to be filled."
    numbers = slice_numbers(original)
    known = only_known(painted, numbers)
    chosen = np.where(known, known.astype(np.int64) - 1, frame)
    filled = filled_from_neighbours(chosen, marked, numbers, _z_in_order(original))
    places = np.nonzero(marked)
    new = (filled[places] + 1).astype(labels.dtype)
    leading = (np.full(len(new), time),) if labels.ndim == 3 else ()
    return Pixels((*leading, *places), new, expected=mark)


def save_labels(original: FusionResult, labels: NDArray[Any], path: Path, overwrite: bool) -> str:
    """Write labels to a file of corrections, and say so."""
    corrections = Corrections.of(original, only_known(labels, slice_numbers(original)))
    corrections.save(path, overwrite=overwrite)
    return f"{corrections.n_pixels:,} corrected pixels saved to {path.name}."


def labels_from_file(original: FusionResult, labels: NDArray[Any], path: Path) -> Pixels | str:
    """Read a file of corrections; what differs from `labels` is to be set."""
    corrections = load_corrections(path)
    corrections.check_fits(original)
    new = corrections.labels
    places = np.nonzero((new > 0) & (new != labels))
    if not len(places[0]):
        return f"{path.name} changes nothing here."
    return Pixels(places, new[places].astype(labels.dtype))


def _z_in_order(result: FusionResult) -> NDArray[np.float64] | None:
    """Return where slices lie, if neighbours in number are neighbours in z."""
    if result.provenance["slices"]["order"] != "ordered":
        return None
    z_um = result.z_positions
    return np.arange(len(slice_numbers(result)), dtype=np.float64) if z_um is None else z_um
