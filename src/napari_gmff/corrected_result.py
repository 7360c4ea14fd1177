"""A fusion whose focus index was corrected by hand, at once or stroke by stroke."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.corrected_pixels import CORRECTED, CorrectedPixels, Place
from napari_gmff.correction_labels import check_labels, slice_numbers
from napari_gmff.corrections import Corrections, CorrectionTarget, now_utc
from napari_gmff.export.atomic import check_not_source, translate_os_errors
from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.saving import copy_image
from napari_gmff.export.working import CHUNK_PX, create_level, write_block
from napari_gmff.export.zarr_arrays import ZarrLayout
from napari_gmff.params import DEFAULT_NAME
from napari_gmff.results import Format, FusionResult
from napari_gmff.windows import tiles

if TYPE_CHECKING:
    from collections.abc import Collection

    import dask.array as da
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack


class CorrectedResult(FusionResult):
    """A copy of a result that follows corrections; the original stays as it is.

    The copy is a temporary store. `image` and `save` first write what was corrected since, so that
    fused pixels, index, depth and record always belong together. `correct` is to be called from
    one thread at a time; saving in another is safe.

    Parameters
    ----------
    original : FusionResult
        Its full resolution is copied. Must stay open.
    stack : FocusStack
        The stack it was made from. Must stay open.

    Attributes
    ----------
    original : FusionResult
        As given.

    Raises
    ------
    ParameterError
        If `original` was closed, or made from another stack.
    OutputError
        If there is no room for the copy.
    """

    def __init__(self, original: FusionResult, stack: FocusStack) -> None:
        self.original = original
        self._pixels = CorrectedPixels(original, stack)
        self._numbers = slice_numbers(original)
        index = original.images["focus_index"]
        self._mask = ImageSpec(CORRECTED, index.axes, index.shape, np.dtype(np.uint8), "mask")
        super().__init__(
            images=dict(original.images),
            geometry=original.geometry,
            provenance=original.provenance,
            store_path=_copied(original, self._mask),
            is_temporary=True,
            curves=original.curves,
        )
        self._labels = Corrections.of(original).labels
        self._earlier = _earlier_labels(original)
        self._counts = self._counted(self._labels if self._earlier is None else self._earlier)
        self._waiting: list[tuple[int, Place, dict[str, NDArray[Any]]]] = []
        self._state_lock = threading.Lock()
        self._store_lock = threading.RLock()

    @property
    def labels(self) -> NDArray[np.unsignedinteger[Any]]:
        """What is applied, (T)YX: 0 is unchanged, k + 1 means slice k. Not to be changed."""
        return self._labels

    @property
    def corrections(self) -> Corrections:
        """What is applied, to be saved and used again; a copy."""
        return Corrections(self._labels.copy(), CorrectionTarget.of(self.original))

    @property
    def n_corrected(self) -> int:
        """Number of pixels whose slice was chosen by hand, of all time points."""
        return int(self._counts[1:].sum())

    def correct(self, time: int, place: Place, labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Replace the corrections of one part.

        Parameters
        ----------
        time : int
            Time point of the result, from 0.
        place : tuple of slice
            Rows and columns of the result, start and stop given.
        labels : ndarray
            Axes YX, any integer type: 0 is unchanged, k + 1 means slice k.

        Returns
        -------
        dict of str to ndarray
            The new pixels of the images that corrections change, axes (C)YX; not to be changed.

        Raises
        ------
        ParameterError
            If a label names a slice that was not fused.
        SourceError
            If the stack cannot be read; nothing was changed.
        """
        rows, columns = place
        check_labels(labels, (rows.stop - rows.start, columns.stop - columns.start), self._numbers)
        labels = labels.astype(self._labels.dtype)
        blocks = self._pixels.blocks(time, place, labels)
        leading = (time,) if self._labels.ndim == 3 else ()
        part = (*leading, *place)
        with self._state_lock:
            self._counts += self._counted(self._effective(labels, part))
            self._counts -= self._counted(self._effective(self._labels[part], part))
            self._labels[part] = labels
            self._waiting.append((time, place, blocks))
            self._renew_record()
        return blocks

    def flush(self) -> FusionResult:
        """Write to the store what was corrected since.

        Returns
        -------
        FusionResult
            The store with the record that belongs to it. It shares the store of this result.

        Raises
        ------
        OutputError
            If it cannot be written. Nothing is lost: the next call, or `save`, tries again.
        """
        import zarr

        with self._store_lock:
            with self._state_lock:
                waiting = list(self._waiting)
                state = FusionResult(
                    self.images, self.geometry, self.provenance, self.store_path, curves=self.curves
                )
            if waiting:
                group = zarr.open_group(str(self.store_path), mode="r+")
                specs = {**self.images, CORRECTED: self._mask}
                for time, place, blocks in waiting:
                    for name, block in blocks.items():
                        write_block(group, specs[name], time, *place, block)
                with self._state_lock:
                    del self._waiting[: len(waiting)]
            return state

    def image(self, name: str, level: int = 0) -> da.Array:
        """Return one image, lazily; see `FusionResult.image`."""
        self.flush()
        return super().image(name, level)

    def save(
        self,
        path: str | Path,
        *,
        format: Format = "ome-zarr",
        overwrite: bool = False,
        depth_min_confidence: float | None = None,
        images: Collection[str] | None = None,
        shard_px: Literal["auto"] | int | None = None,
    ) -> Path:
        """Write the result as it is now; see `FusionResult.save`.

        Raises
        ------
        OutputError
            Also if `path` is the original's, without which nothing could be taken back.
        """
        check_not_source(path, [self.original.store_path])
        with self._store_lock:
            return self.flush().save(
                path,
                format=format,
                overwrite=overwrite,
                depth_min_confidence=depth_min_confidence,
                images=images,
                shard_px=shard_px,
            )

    def append_to(
        self,
        path: str | Path,
        *,
        name: str = DEFAULT_NAME,
        series: int = 0,
        overwrite: bool = False,
    ) -> Path:
        """Append the result as it is now; see `FusionResult.append_to`."""
        with self._store_lock:
            state = self.flush()
            return state.append_to(path, name=name, series=series, overwrite=overwrite)

    def close(self) -> None:
        """Delete the copy; the original stays open."""
        with self._store_lock, self._state_lock:
            self._waiting.clear()
            self.curves = None  # the original's, which stays open
            super().close()

    def _counted(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        return np.bincount(labels.ravel(), minlength=self._numbers[-1] + 2)

    def _effective(self, labels: NDArray[Any], part: tuple[int | slice, ...]) -> NDArray[Any]:
        """Return labels, or where they change nothing those that the original came with."""
        return labels if self._earlier is None else np.where(labels, labels, self._earlier[part])

    def _renew_record(self) -> None:
        """Let record and list of images say what was corrected; nothing where all was undone."""
        record = corrections_record(self._counts)
        self.provenance = dict(self.original.provenance)
        self.images = dict(self.original.images)
        if record is not None:
            self.provenance["corrections"] = record
            self.images[CORRECTED] = self._mask


def apply_corrections(
    result: FusionResult, stack: FocusStack, corrections: Corrections
) -> CorrectedResult:
    """Correct the focus index of a result; fused image, depth and record follow.

    Corrected pixels are copied from the stack bit for bit. Their depth is the position of the
    slice, their confidence stays as it was measured.

    Parameters
    ----------
    result : FusionResult
        Stays as it is. Where it came with corrections already, these are added.
    stack : FocusStack
        The stack it was made from.
    corrections : Corrections
        Made by ``Corrections.of(result, labels)`` or read by `load_corrections`.

    Returns
    -------
    CorrectedResult
        A new result in a temporary store, with an image ``corrected`` (uint8, 1 where a slice was
        chosen by hand) and, in its provenance, ``corrections``.

    Raises
    ------
    ParameterError
        If the corrections or the stack do not belong to `result`.
    SourceError, OutputError
        If the stack cannot be read or the new result not written; nothing is left behind.
    """
    corrections.check_fits(result)
    corrected = CorrectedResult(result, stack)
    spec = result.images["focus_index"]
    try:
        for time in range(spec.n_times):
            frame = corrections.labels[time] if "t" in spec.axes else corrections.labels
            for tile in tiles(spec.shape_yx, CHUNK_PX):
                if frame[tile.slices].any():
                    corrected.correct(time, tile.slices, frame[tile.slices])
                    corrected.flush()
    except BaseException:
        corrected.close()
        raise
    return corrected


def corrections_record(counts: NDArray[np.integer[Any]]) -> dict[str, Any] | None:
    """Make the entry ``corrections`` of a record.

    Parameters
    ----------
    counts : ndarray, (N,)
        How many pixels have each label: 0 is unchanged, k + 1 means slice k.

    Returns
    -------
    dict or None
        ``n_pixels``, ``fraction`` (of all pixels), ``by_slice`` (pixels by slice number) and
        ``date``; None where nothing is corrected.
    """
    n_pixels = int(counts[1:].sum())
    if n_pixels == 0:
        return None
    by_slice = {str(number): int(count) for number, count in enumerate(counts[1:]) if count}
    return {
        "n_pixels": n_pixels,
        "fraction": n_pixels / int(counts.sum()),
        "by_slice": by_slice,
        "date": now_utc(),
    }


def _copied(original: FusionResult, mask: ImageSpec) -> Path:
    """Copy full resolution to a new temporary store, with room for the mask."""
    import zarr

    folder = Path(tempfile.mkdtemp(prefix="napari-gmff-corrected-"))
    try:
        with translate_os_errors(folder):
            group = zarr.open_group(str(folder), mode="a", zarr_format=3)
            for spec in original.images.values():
                group.create_group(spec.name)
                # Without shards: strokes write chunks here and there.
                copy_image(original, spec, group, ZarrLayout())
            if mask.name not in original.images:
                create_level(group, mask, 0, mask.shape_yx)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _earlier_labels(result: FusionResult) -> NDArray[np.intp] | None:
    """Return the corrections that a result came with, as labels; None for none."""
    if CORRECTED not in result.images:
        return None
    mask = result.image(CORRECTED).compute() > 0
    index = result.focus_index.compute().astype(np.intp)
    return np.where(mask, index + 1, 0)
