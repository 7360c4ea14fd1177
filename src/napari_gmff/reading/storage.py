"""How the pixels of a source lie on disk: known from headers alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import zarr
    from tifffile import TiffPageSeries


@dataclass(frozen=True)
class Storage:
    """What holds the pixels of a stack, and how.

    Attributes
    ----------
    kind : str
        In words, such as ``"OME-TIFF"`` or ``"OME-Zarr 0.5"``.
    compression : str
        Name of the codec, ``"none"``, or ``"?"`` where the source does not tell.
    chunk_yx : tuple of int or None
        Height and width in pixels of what is decoded at once: a tile, strip, chunk or whole slice.
    layout : str
        What that is called: ``"tiles"``, ``"strips"``, ``"chunks"`` or ``"whole slices"``.
    files : tuple of Path
        Files, or the one folder, that hold the pixels; empty for addresses and arrays.
    """

    kind: str
    compression: str = "?"
    chunk_yx: tuple[int, int] | None = None
    layout: str = "chunks"
    files: tuple[Path, ...] = ()

    def n_bytes(self) -> int | None:
        """Return the size on disk of all files in bytes, None where there are none.

        A file with holes counts with what it takes up, where the system tells.
        """
        if not self.files:
            return None
        return sum(_bytes_below(path) for path in self.files)


def storage_of_tiff(series: TiffPageSeries, kind: str, *others: Path) -> Storage:
    """Describe a series of a TIFF.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Its pages are loaded.
    kind : str
        In words.
    *others : Path
        Files that belong to it and hold no pixels, such as a companion file.
    """
    from tifffile import COMPRESSION

    page = series.keyframe
    # Pages of a single file may not all be kept, and it is closed by now.
    pages = series.pages if series.is_multifile else [page]
    names = {str(one.parent.filehandle.path) for one in pages if one is not None}
    if page.is_tiled:
        chunk_yx, layout = (int(page.tilelength), int(page.tilewidth)), "tiles"
    else:
        rows = min(int(page.rowsperstrip), int(page.imagelength))
        chunk_yx, layout = (rows, int(page.imagewidth)), "strips"
        if rows == page.imagelength:
            layout = "whole slices"
    try:
        codec = COMPRESSION(int(page.compression)).name.lower()
    except ValueError:
        codec = f"number {int(page.compression)}"
    files = dict.fromkeys([*(Path(name) for name in sorted(names)), *others])
    return Storage(kind, codec, chunk_yx, layout, tuple(files))


def storage_of_zarr(
    array: zarr.Array[Any], kind: str, address: str, places: tuple[int, int]
) -> Storage:
    """Describe a zarr array.

    Parameters
    ----------
    array : zarr.Array
        Finest level of an image.
    kind : str
        In words.
    address : str
        Folder or address of the image.
    places : tuple of int
        Dimensions that are Y and X.
    """
    try:
        codecs = [_codec_name(codec) for codec in array.compressors]
    except (AttributeError, TypeError, ValueError):
        codecs = ["?"]
    y, x = (int(array.chunks[place]) for place in places)
    layout = "chunks"
    if array.shards is not None:
        shard_y, shard_x = (int(array.shards[place]) for place in places)
        layout = f"chunks in shards of {shard_x}×{shard_y}"
    files = (Path(address),) if Path(address).is_dir() else ()
    return Storage(kind, ", ".join(codecs) or "none", (y, x), layout, files)


def _codec_name(codec: Any) -> str:
    """Name of a codec: zarr 3 describes them as ``{"name": ..., "configuration": ...}``."""
    found = codec.to_dict() if hasattr(codec, "to_dict") else codec.get_config()
    options = found.get("configuration", found)
    name = str(found.get("name") or found.get("id") or "?").removeprefix("numcodecs.")
    inner = options.get("cname") if isinstance(options, dict) else None
    return f"{name} ({getattr(inner, 'value', inner)})" if inner else name


def _bytes_below(path: Path) -> int:
    if not path.is_dir():
        return _bytes_of(path.stat())
    total = 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _bytes_below(Path(entry.path))
            else:
                total += _bytes_of(entry.stat())
    return total


def _bytes_of(status: os.stat_result) -> int:
    blocks = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else min(status.st_size, blocks * 512)
