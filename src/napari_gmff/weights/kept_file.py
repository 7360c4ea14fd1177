"""Taking a large file into the store: linked or copied, and hashed while it is read."""

from __future__ import annotations

import hashlib
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError, WeightsError
from napari_gmff.weights.hashing import regular_size

if TYPE_CHECKING:
    from napari_gmff.weights.download import ProgressCallback

_CHUNK_BYTES = 1 << 22


def keep_file(
    source: Path,
    target: Path,
    *,
    moves: bool = False,
    progress: ProgressCallback | None = None,
) -> str:
    """Put a file under another name too, and return its SHA-256.

    Parameters
    ----------
    source : Path
        Regular file, or a link to one.
    target : Path
        New name. It shares the bytes on disk with `source` where the file system can do that,
        else it is a copy.
    moves : bool
        Leave nothing under the old name.
    progress : callable, optional
        ``progress(done_bytes, total_bytes)``; called before the first and after each piece.

    Returns
    -------
    str
        64 lower-case hexadecimal digits, of what is now at `target`.

    Raises
    ------
    WeightsError
        If `source` cannot be read.
    OutputError
        If `target` cannot be written.
    """
    size = regular_size(source)
    is_there = _renamed(source, target) if moves else _linked(source, target)
    digest, done = hashlib.sha256(), 0
    try:
        with (
            (target if is_there else source).open("rb") as file,
            nullcontext() if is_there else target.open("xb") as copy,
        ):
            _tell(progress, 0, size)
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                if copy is not None:
                    copy.write(chunk)
                done += len(chunk)
                _tell(progress, done, size)
    except OSError as error:
        raise _said(error, source, target) from None
    if moves and not is_there:
        source.unlink(missing_ok=True)
    return digest.hexdigest()


def _renamed(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except OSError:  # another file system
        return False
    return True


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links
        return False
    return True


def _tell(progress: ProgressCallback | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _said(error: OSError, source: Path, target: Path) -> WeightsError | OutputError:
    reason = error.strerror or type(error).__name__
    if error.filename == str(source):
        return WeightsError(f"{source}: weights cannot be read ({reason})")
    return OutputError(f"{target.parent.parent}: cannot store a model ({reason})")
