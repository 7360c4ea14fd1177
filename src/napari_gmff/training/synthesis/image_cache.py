"""Many image files as one file of grey pixels, decoded once and shared by all processes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_gmff.errors import OutputError, SourceError

GreyImage = NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff")

_MAGIC = b"GMFFGREY"
_VERSION = "1"
_ROW = 4
"""Entries of an image in the table at the file's end: offset, height, width, folder."""

_ERRORS = (OSError, ValueError, KeyError, TypeError, SyntaxError, Image.DecompressionBombError)
"""What damaged images make the decoders raise."""


class GreyImages:
    """The images of a cache file, read only as far as they are looked at.

    Parameters
    ----------
    file : Path
        As `cached_images` returns it.

    Raises
    ------
    SourceError
        If it is not such a file.
    """

    def __init__(self, file: Path) -> None:
        table = _read_table(file)
        if table is None:
            raise SourceError(f"{file}: must be a complete cache of grey images")
        self._table = table
        self._pixels = np.memmap(file, np.uint8, "r")

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, number: int) -> GreyImage:
        """Return an image, (Y, X), without reading its pixels yet."""
        offset, height, width, _ = (int(entry) for entry in self._table[number])
        return self._pixels[offset : offset + height * width].reshape(height, width)

    @property
    def folders(self) -> NDArray[np.int64]:
        """For each image the number of the folder that it came from."""
        return self._table[:, 3]


def find_images(sources: Sequence[str | Path], exclude: Sequence[str] = ()) -> list[Path]:
    """List the image files of folders, with all that is below them.

    Parameters
    ----------
    sources : sequence of str or Path
        Folders, files, or patterns such as ``photos/*_left.png``.
    exclude : sequence of str
        Patterns of names or of paths, such as ``*_mask.png`` or ``*/rejected/*``, to leave out.

    Returns
    -------
    list of Path
        Absolute, sorted within each source, each once.

    Raises
    ------
    SourceError
        If a source does not exist or nothing is left.
    """
    found: dict[Path, None] = {}
    for source in sources:
        for path in _files_of(Path(source)):
            if not any(fnmatch(path.name, p) or fnmatch(path.as_posix(), p) for p in exclude):
                found[path] = None
    if not found:
        names = ", ".join(str(source) for source in sources) or "an empty list"
        raise SourceError(f"{names}: must hold a PNG, JPEG or TIFF image that is not excluded")
    return list(found)


def cached_images(files: Sequence[Path], cache_dir: Path, longest_side_px: int = 2048) -> Path:
    """Write images as grey bytes into one file, unless that was done before.

    Parameters
    ----------
    files : sequence of Path
        As `find_images` lists them.
    cache_dir : Path
        Made if missing. The file's name follows from the images' paths, sizes and dates.
    longest_side_px : int
        Larger images are scaled down to this.

    Returns
    -------
    Path
        For `GreyImages`.

    Raises
    ------
    SourceError
        If an image cannot be read.
    OutputError
        If the cache cannot be written.
    """
    target = cache_dir / f"{_key(files, longest_side_px)}.grey"
    if _read_table(target) is not None:
        return target
    partial = cache_dir / f".{target.name}.partial-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as stream:
            _write_images(files, stream, longest_side_px)
        partial.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return target


def read_grey(path: Path, longest_side_px: int = 2048) -> GreyImage:
    """Read an image as grey bytes (BT.601).

    Parameters
    ----------
    path : Path
        PNG, JPEG or TIFF. Images of more than 8 bits are stretched between their 0.1 and 99.9
        percentiles; of a stack the first page is read.
    longest_side_px : int
        Larger images are scaled down to this.

    Returns
    -------
    ndarray, (Y, X), uint8

    Raises
    ------
    SourceError
        If the file is missing or is not an image.
    """
    try:
        picture = _grey_picture(path)
        picture.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
        return np.array(picture)
    except _ERRORS as error:
        raise SourceError(f"{path}: must be a readable image ({error})") from error


def read_plane(path: Path) -> NDArray[np.generic]:
    """Read an image as it is stored: (Y, X), or (Y, X, S) with colours; of a stack the first page.

    Raises
    ------
    SourceError
        If the file is missing or is not an image.
    """
    try:
        return _plane(path)
    except _ERRORS as error:
        raise SourceError(f"{path}: must be a readable image ({error})") from error


def _plane(path: Path) -> NDArray[np.generic]:
    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        with tifffile.TiffFile(path) as tiff:
            return np.asarray(tiff.pages[0].asarray())
    with Image.open(path) as picture:
        palette = picture.mode in ("P", "PA", "1") or "transparency" in picture.info
        return np.asarray(picture.convert("RGB") if palette else picture)


def _grey_picture(path: Path) -> Image.Image:
    plane = _plane(path)
    if plane.dtype != np.uint8:
        plane = _stretched(plane)
    if plane.ndim == 3 and plane.shape[2] in (1, 2):
        plane = plane[..., 0]
    if plane.ndim == 3 and plane.shape[2] in (3, 4):
        return Image.fromarray(np.ascontiguousarray(plane[..., :3])).convert("L")
    if plane.ndim != 2 or plane.size == 0:
        raise ValueError(f"an image of shape {plane.shape}")
    return Image.fromarray(plane)


def _stretched(plane: NDArray[np.generic]) -> GreyImage:
    values = np.nan_to_num(np.asarray(plane, np.float32), posinf=0, neginf=0)
    low, high = np.percentile(values, (0.1, 99.9))
    scale = 255 / (high - low) if high > low else 0
    return np.asarray(np.clip(np.rint((values - low) * scale), 0, 255), np.uint8)


def _files_of(source: Path) -> list[Path]:
    if source.is_file():
        return [source.absolute()]
    if source.is_dir():
        paths = source.rglob("*")
    elif any(mark in str(source) for mark in "*?["):
        paths = Path(source.anchor).glob(str(source.relative_to(source.anchor)))
    else:
        raise SourceError(f"{source}: must be an existing file or folder of images")
    wanted = (p.absolute() for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    return sorted(wanted)


def _key(files: Sequence[Path], longest_side_px: int) -> str:
    digest = hashlib.sha256(f"{_VERSION} {longest_side_px}".encode())
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            reason = error.strerror or error
            raise SourceError(f"{file}: must be a readable image ({reason})") from error
        digest.update(f"\n{file}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def _write_images(files: Sequence[Path], stream: BinaryIO, longest_side_px: int) -> None:
    numbers: dict[Path, int] = {}
    table = np.zeros((len(files), _ROW), "<i8")
    for row, file in zip(table, files, strict=True):
        image = read_grey(file, longest_side_px)
        row[:] = stream.tell(), *image.shape, numbers.setdefault(file.parent, len(numbers))
        stream.write(image.tobytes())
    stream.write(table.tobytes())
    stream.write(len(files).to_bytes(8, "little") + _MAGIC)


def _read_table(file: Path) -> NDArray[np.int64] | None:
    """Return the table at the end of a cache file, or None if it is not a complete one."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 16))
            tail = stream.read()
            count = int.from_bytes(tail[:8], "little")
            begin = size - 16 - count * _ROW * 8
            if tail[8:] != _MAGIC or count == 0 or begin < 0:
                return None
            stream.seek(begin)
            table = np.frombuffer(stream.read(count * _ROW * 8), "<i8").reshape(count, _ROW)
    except OSError:
        return None
    complete = int(table[-1, 0] + table[-1, 1] * table[-1, 2]) == begin
    return table.astype(np.int64) if complete else None
