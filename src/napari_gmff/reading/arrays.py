"""Arrays in memory, of dask or of zarr, whose axes the caller names."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.axes import AxisPlan, check_dtype, plan_axes
from napari_gmff.reading.messages import first_line
from napari_gmff.reading.plane_cache import CachedPlanes
from napari_gmff.reading.planes import PlaneArray, chunk_length, lazy_array
from napari_gmff.reading.stack import FocusStack

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

BIG_CHUNK_PX = 2048 * 2048
"""Stored chunks above this are decoded once and kept."""


def is_array(source: object) -> bool:
    """Whether a source is a numpy, dask or zarr array, or behaves like one."""
    return all(hasattr(source, part) for part in ("shape", "dtype", "ndim", "__getitem__"))


def read_array(source: Any, *, axes: str | None, name: str = "array") -> FocusStack:
    """Make a stack of an array, without reading it.

    Parameters
    ----------
    source : array
        numpy, dask or zarr array, of uint8, uint16, int16 or float32.
    axes : str
        One letter of T C Z Y X S for each dimension, in any order.
    name : str
        Name of the stack.

    Raises
    ------
    SourceError
        If the axes are missing or do not fit, or the pixel type is none that is fused.
    """
    if axes is None:
        raise SourceError(
            f"{name}: the axes of an array must be named with axes=, such as ZYX, for its "
            f"{source.ndim} dimensions {tuple(source.shape)}"
        )
    wanted = axes.strip().upper()
    if len(wanted) != source.ndim:
        raise SourceError(
            f"{name}: axes must have one letter for each of the {source.ndim} dimensions "
            f"{tuple(source.shape)}, got {axes!r}"
        )
    check_dtype(name, source.dtype)
    plan = plan_axes(name, wanted, source.shape, wanted)
    if _is_dask(source):
        data = ordered(source, plan)
    else:
        data = as_dask(OrderedArray(source, plan, name))
    return FocusStack(data=data, name=name, metadata={"reader": "array", "axes": wanted})


class Lease:
    """The right to read the files behind a stack.

    It ends with the stack, or with the last array that holds it: arrays outlive a stack that
    nobody closes, and their files must be closed all the same.

    Parameters
    ----------
    *closers : callable
        Called once, when it ends.
    """

    def __init__(self, *closers: Callable[[], object]) -> None:
        self.end = weakref.finalize(self, lambda: [close() for close in closers])

    @property
    def is_over(self) -> bool:
        """Whether the files have been closed."""
        return not self.end.alive


class OrderedArray:
    """An array seen in the order T C Z Y X [S], of which only the parts asked for are read.

    Parameters
    ----------
    array : array
        numpy or zarr array, or one that behaves like them.
    plan : AxisPlan
        Meaning of its dimensions.
    name : str
        Name of the source, for messages.
    lease : Lease, optional
        Nothing is read any more once it is over.
    """

    def __init__(self, array: Any, plan: AxisPlan, name: str, lease: Lease | None = None) -> None:
        self._array = array
        self.name = name
        self._lease = lease
        kept = [letter for letter in plan.letters if letter]
        order = [letter for letter in "TCZYXS" if letter in kept]
        self._axes = "TCZYXS" if "S" in kept else "TCZYX"
        self._letters = plan.letters
        self._transpose = [kept.index(letter) for letter in order]
        self._missing = tuple(
            slice(None) if letter in kept else np.newaxis for letter in self._axes
        )
        self.is_stored = not isinstance(array, np.ndarray)
        stored = getattr(array, "chunks", None) or (1024,) * array.ndim
        lengths = dict(zip(plan.letters, array.shape, strict=True))
        chunks = dict(zip(plan.letters, stored, strict=True))
        self.shape = tuple(int(lengths.get(letter, 1)) for letter in self._axes)
        self.chunks = tuple(
            min(length, int(chunks.get(letter, 1)))
            for letter, length in zip(self._axes, self.shape, strict=True)
        )
        self.ndim = len(self.shape)
        self.dtype = np.dtype(array.dtype).newbyteorder("=")

    def __dask_tokenize__(self) -> str:
        """Name of this array in a graph."""
        return uuid.uuid4().hex

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[np.generic]:
        """Read by integers and slices."""
        full = (*key, *(slice(None),) * (self.ndim - len(key)))
        wanted = {
            letter: part if isinstance(part, slice) else slice(part, part + 1)
            for letter, part in zip(self._axes, full, strict=True)
        }
        place = tuple(wanted[letter] if letter else 0 for letter in self._letters)
        if self._lease is not None and self._lease.is_over:
            raise SourceError(f"{self.name}: the stack has been closed")
        try:
            read = np.asarray(self._array[place])
        # Codecs raise whatever they like; all of it means that a chunk is damaged.
        except Exception as error:
            raise SourceError(
                f"{self.name}: its data are damaged at {_described(wanted)} ({first_line(error)})"
            ) from error
        found = read.transpose(self._transpose)[self._missing]
        found = found[tuple(slice(None) if isinstance(part, slice) else 0 for part in full)]
        return found.astype(self.dtype, copy=False)


def as_dask(
    array: OrderedArray, *, band_rows: int | None = None, closing: ExitStack | None = None
) -> da.Array:
    """Wrap an array for dask: planes in chunks of about 1024², made of whole stored chunks.

    Parameters
    ----------
    array : OrderedArray
        What to read from.
    band_rows : int, optional
        Rows that are decoded together and kept, where a window would decode far too much; the
        height of stored chunks if those are very large.
    closing : ExitStack, optional
        Is given what there is to close.
    """
    import dask.array as da

    stored_y, stored_x = array.chunks[3:5]
    if band_rows is None and array.is_stored and stored_y * stored_x > BIG_CHUNK_PX:
        band_rows = stored_y
    if band_rows is not None:
        return _kept_planes(array, band_rows, closing or ExitStack())
    chunks = (
        *array.chunks[:3],
        chunk_length(stored_y, array.shape[3]),
        chunk_length(stored_x, array.shape[4]),
        *array.shape[5:],
    )
    lazy: da.Array = da.from_array(
        array, chunks=chunks, meta=np.empty((0,) * array.ndim, array.dtype), inline_array=True
    )
    return lazy


def ordered(data: da.Array, plan: AxisPlan) -> da.Array:
    """Bring a dask array into the order T C Z Y X [S], in native byte order.

    Parameters
    ----------
    data : dask.array.Array
        With the dimensions that `plan` describes; its chunks are kept.
    plan : AxisPlan
        Their meaning.
    """
    kept = [letter for letter in plan.letters if letter]
    picked = data[tuple(slice(None) if letter else 0 for letter in plan.letters)]
    picked = picked.transpose([kept.index(letter) for letter in "TCZYXS" if letter in kept])
    axes = "TCZYXS" if "S" in kept else "TCZYX"
    picked = picked[tuple(slice(None) if letter in kept else None for letter in axes)]
    native = picked.dtype.newbyteorder("=")
    return cast("da.Array", picked if picked.dtype == native else picked.astype(native))


def _kept_planes(array: OrderedArray, band_rows: int, closing: ExitStack) -> da.Array:
    """Lazy array over bands of rows that are each decoded once and kept."""
    outer = array.shape[:3]
    n_planes = int(np.prod(outer))

    def decode(plane: int, rows: tuple[int, int]) -> NDArray[np.generic]:
        t, c, z = (int(index) for index in np.unravel_index(plane, outer))
        return array[t, c, z, slice(*rows)]

    kept = CachedPlanes(
        decode,
        n_planes,
        array.shape[3:],
        array.dtype,
        band_rows=band_rows,
        name=array.name,
    )
    closing.callback(kept.close)
    return lazy_array(PlaneArray(kept, outer))


def _is_dask(source: object) -> bool:
    import dask.array as da

    return isinstance(source, da.Array)


def _described(wanted: dict[str, slice]) -> str:
    return ", ".join(
        f"{letter} {part.start}"
        if part.start is not None and part.stop == part.start + 1
        else f"{letter} {part.start}:{part.stop}"
        for letter, part in wanted.items()
        if part != slice(None)
    )
