"""Pixels of a corrected result: a function of the original result, the stack and the labels alone.

Nothing depends on what was corrected before, so taking a correction back restores the original
exactly, and a part can be made again at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.correction_labels import slice_numbers
from napari_gmff.corrections import CorrectionTarget
from napari_gmff.errors import ParameterError
from napari_gmff.export.working import level_array
from napari_gmff.failures import reading
from napari_gmff.reading.computing import computed
from napari_gmff.selection import as_channels, gather

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

Place = tuple[slice, slice]

CORRECTED = "corrected"
"""Name of the image that is 1 where a slice was chosen by hand."""


class CorrectedPixels:
    """Makes parts of the images that corrections change.

    Parameters
    ----------
    original : FusionResult
        Only read; must stay open.
    stack : FocusStack
        The stack it was made from; must stay open.

    Raises
    ------
    ParameterError
        If `original` was closed, or made from another stack.
    """

    def __init__(self, original: FusionResult, stack: FocusStack) -> None:
        import zarr

        _check_stack(original, stack)
        target = CorrectionTarget.of(original)
        self._stack = stack
        self._times = target.times
        self._corner = (0, 0) if target.region is None else tuple(b[0] for b in target.region)
        self._z = _positions(original)
        self._specs = {
            name: spec
            for name, spec in original.images.items()
            if name in ("fused", "focus_index", CORRECTED) or spec.kind == "depth"
        }
        try:
            group = zarr.open_group(str(original.store_path), mode="r")
        except FileNotFoundError:
            raise ParameterError(
                f"result: {original.store_path.name} is gone; a temporary result cannot be "
                "corrected once it is closed"
            ) from None
        self._arrays = {name: level_array(group, name) for name in self._specs}

    def blocks(
        self, time: int, place: Place, labels: NDArray[np.unsignedinteger[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Make one part; reads of the stack only what the labels ask for.

        Parameters
        ----------
        time : int
            Time point of the result, from 0.
        place : tuple of slice
            Rows and columns of the result, start and stop given.
        labels : ndarray
            Axes YX: 0 is unchanged, k + 1 means slice k, which must be one that was fused.

        Returns
        -------
        dict of str to ndarray
            ``fused``, ``focus_index``, ``depth``, ``corrected`` (uint8, 0 or 1) and, where the
            result has it, ``depth_unrefined``; axes (C)YX and dtypes as in the result. Depth of a
            corrected pixel is the position of its slice.

        Raises
        ------
        SourceError
            If the stack cannot be read.
        """
        made = {name: self._original(name, time, place) for name in self._specs}
        made.setdefault(CORRECTED, np.zeros(labels.shape, np.uint8))
        chosen = labels > 0
        if not chosen.any():
            return made
        numbers = labels[chosen].astype(np.intp) - 1
        made["focus_index"][chosen] = numbers
        made[CORRECTED][chosen] = 1
        for name, spec in self._specs.items():
            if spec.kind == "depth":
                made[name][chosen] = self._z[numbers]
        fused = made["fused"] if made["fused"].ndim == 3 else made["fused"][None]
        for number in np.unique(numbers).tolist():
            self._copy_slice(number, time, place, labels, fused)
        return made

    def _original(self, name: str, time: int, place: Place) -> NDArray[Any]:
        leading = (time,) if "t" in self._specs[name].axes else ()
        return np.array(self._arrays[name][(*leading, ..., *place)])

    def _copy_slice(
        self,
        number: int,
        time: int,
        place: Place,
        labels: NDArray[np.unsignedinteger[Any]],
        fused: NDArray[Any],
    ) -> None:
        """Copy the pixels, all channels, that labels take from one slice; reads no others' box."""
        part = place_of(labels == number + 1)
        rows, columns = (
            slice(corner + whole.start + local.start, corner + whole.start + local.stop)
            for corner, whole, local in zip(self._corner, place, part, strict=True)
        )
        with reading(f"{self._stack.name}: slice {number}"):
            lazy = self._stack.data[self._times[time], :, number, rows, columns]
            # A stroke meets a few chunks; starting threads for them would take longer.
            planes = computed(lazy, scheduler="synchronous")
        gather(as_channels(planes), labels[part], number + 1, fused[(slice(None), *part)])


def place_of(mask: NDArray[np.bool_]) -> Place:
    """Return the smallest rectangle that holds all that is true."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _positions(result: FusionResult) -> NDArray[np.float32]:
    """Return the depth of every slice by its number; NaN for slices that were not fused."""
    numbers = np.asarray(slice_numbers(result))
    z_um = result.z_positions
    positions = np.full(numbers.max() + 1, np.nan, np.float32)
    positions[numbers] = numbers if z_um is None else z_um
    return positions


def _check_stack(result: FusionResult, stack: FocusStack) -> None:
    source = result.provenance["source"]
    if stack.fingerprint != source["fingerprint"]:
        raise ParameterError(
            f"stack: must be the one that was fused, {source['name']} "
            f"({source['fingerprint'][:12]}), got {stack.name} ({stack.fingerprint[:12]})"
        )
