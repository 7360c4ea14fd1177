"""SHA-256 of files, read in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from napari_gmff.errors import WeightsError

if TYPE_CHECKING:
    from napari_gmff.weights.download import ProgressCallback

_CHUNK_BYTES = 1 << 22


def sha256_of(path: Path, progress: ProgressCallback | None = None) -> str:
    """Return the SHA-256 of a file as 64 lower-case hexadecimal digits.

    Parameters
    ----------
    path : Path
        Regular file.
    progress : callable, optional
        ``progress(done_bytes, total_bytes)`` after each piece; what it raises stops the reading.

    Raises
    ------
    WeightsError
        If the file cannot be read.
    """
    size, done = regular_size(path), 0
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, size)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"{path}: weights cannot be read ({reason})") from None
    return digest.hexdigest()


def regular_size(path: Path) -> int:
    """Return the size in bytes of a regular file.

    Raises
    ------
    WeightsError
        If it is missing or something else, such as a pipe, where reading could wait for ever.
    """
    try:
        status = path.stat()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"{path}: weights cannot be read ({reason})") from None
    if not S_ISREG(status.st_mode):
        raise WeightsError(f"{path}: weights must be a regular file")
    return status.st_size
