"""SHA-256 of files, read in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path
from stat import S_ISREG

from napari_gmff.errors import WeightsError


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 lower-case hexadecimal digits.

    Raises
    ------
    WeightsError
        If the file cannot be read.
    """
    regular_size(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"{path}: weights cannot be read ({reason})") from None


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
