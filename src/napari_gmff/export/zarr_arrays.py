"""How the arrays of a result are stored as Zarr: version, chunks and shards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.export.working import CHUNK_PX

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec

OmeVersion = Literal["0.4", "0.5"]
Region = tuple[Any, ...]

AUTO_SHARD_PX = 4096
AUTO_SHARD_CHUNKS = 1000
"""Results with more chunks than this in full resolution get shards if nothing else is asked for."""


@dataclass(frozen=True)
class ZarrLayout:
    """How arrays are stored.

    Attributes
    ----------
    version : {"0.4", "0.5"}
        Of OME-Zarr: 0.4 is Zarr v2, 0.5 is Zarr v3.
    shard_px : int or None
        Side of the files that hold many chunks each; None for one file for each chunk.
    """

    version: OmeVersion = "0.5"
    shard_px: int | None = None

    @property
    def zarr_format(self) -> Literal[2, 3]:
        """Version of Zarr that goes with `version`."""
        return 2 if self.version == "0.4" else 3

    def create(
        self, group: zarr.Group, path: str, spec: ImageSpec, shape_yx: tuple[int, int]
    ) -> zarr.Array[Any]:
        """Create an empty array, replacing one of that name.

        Parameters
        ----------
        group : zarr.Group
            Of the Zarr version of this layout.
        path : str
            Below the group, such as ``"fused/0"``.
        spec : ImageSpec
            The image; its T and C axes and dtype are those of the array.
        shape_yx : tuple of int
            Height and width in pixels.
        """
        shape = (*spec.shape[:-2], *shape_yx)
        options: dict[str, Any] = {
            "shape": shape,
            "chunks": _chunks(shape),
            "dtype": spec.dtype,
            "fill_value": np.nan if spec.kind == "depth" else 0,
            "overwrite": True,
        }
        if self.zarr_format == 2:
            separator: Any = {"name": "v2", "separator": "/"}
            blosc: Any = {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 1}
            return group.create_array(
                path, compressors=blosc, chunk_key_encoding=separator, **options
            )
        from zarr.codecs import BloscCodec

        return group.create_array(
            path,
            shards=self._shards(shape),
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
            dimension_names=tuple(spec.axes),
            **options,
        )

    def is_that_of(self, array: zarr.Array[Any]) -> bool:
        """Whether an array is stored in this way, so that its files can be copied."""
        stored = array.metadata.zarr_format
        return stored == self.zarr_format and array.shards == self._shards(array.shape)

    def _shards(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the shape of a shard, whole chunks; None where one chunk would be all of it."""
        chunks = _chunks(shape)
        if self.shard_px is None or chunks[-2:] == shape[-2:]:
            return None
        wanted = (min(self.shard_px, side) for side in shape[-2:])
        sides = (-(-side // step) * step for side, step in zip(wanted, chunks[-2:], strict=True))
        return (*chunks[:-2], *sides)


def chosen_shard_px(
    wanted: Literal["auto"] | int, version: OmeVersion, specs: Iterable[ImageSpec]
) -> int | None:
    """Return the side of the shards of a result, None for none.

    Parameters
    ----------
    wanted : "auto" or int
        As `FuseParams.shard_px`; 0 is none.
    version : {"0.4", "0.5"}
        Of OME-Zarr.
    specs : iterable of ImageSpec
        All images of the result.

    Raises
    ------
    ParameterError
        If shards are asked for that the version has not.
    """
    if version == "0.4":
        if wanted not in ("auto", 0):
            raise ParameterError(f"shard_px: only OME-Zarr 0.5 has shards, got {wanted} for 0.4")
        return None
    if wanted != "auto":
        return wanted or None
    n_chunks = sum(
        math.prod(math.ceil(a / b) for a, b in zip(spec.shape, _chunks(spec.shape), strict=True))
        for spec in specs
    )
    return AUTO_SHARD_PX if n_chunks > AUTO_SHARD_CHUNKS else None


def version_of(group: zarr.Group) -> OmeVersion:
    """Return the version of OME-Zarr that goes with the Zarr version of a group."""
    return "0.4" if group.metadata.zarr_format == 2 else "0.5"


def unit_regions(array: zarr.Array[Any]) -> Iterator[Region]:
    """Yield the index of everything that is written at once: a chunk, or a shard of many.

    Yields
    ------
    tuple
        Numbers for T and C, then slices of rows and columns.
    """
    steps = (array.shards or array.chunks)[-2:]
    for leading in np.ndindex(*array.shape[:-2]):
        for place in _places((0, 0), array.shape[-2:], steps):
            yield (*leading, *place)


def fill(array: zarr.Array[Any], block_of: Callable[[Region], NDArray[Any]]) -> None:
    """Write a whole array, every shard once; at most one of them is in memory.

    Parameters
    ----------
    array : zarr.Array
        To be written.
    block_of : callable
        Is given the index of a chunk, as `unit_regions` yields it, and returns its pixels (YX).
    """
    for *leading, rows, columns in unit_regions(array):
        unit = np.empty((rows.stop - rows.start, columns.stop - columns.start), array.dtype)
        starts, stops = (rows.start, columns.start), (rows.stop, columns.stop)
        for y, x in _places(starts, stops, array.chunks[-2:]):
            within = (
                slice(y.start - starts[0], y.stop - starts[0]),
                slice(x.start - starts[1], x.stop - starts[1]),
            )
            unit[within] = block_of((*leading, y, x))
        array[(*leading, rows, columns)] = unit


def _places(
    starts: tuple[int, ...], stops: tuple[int, ...], steps: tuple[int, ...]
) -> Iterator[tuple[slice, ...]]:
    spans = [
        [slice(place, min(place + step, stop)) for place in range(start, stop, step)]
        for start, stop, step in zip(starts, stops, steps, strict=True)
    ]
    yield from product(*spans)


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    sides = (min(CHUNK_PX, side) for side in shape[-2:])
    return (*(1 for _ in shape[:-2]), *sides)
