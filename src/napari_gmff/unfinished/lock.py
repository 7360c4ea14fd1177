"""A lock on a folder that ends with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from napari_gmff.errors import ResumeError

FILE_NAME = "lock"

_NO_LOCKS = {
    getattr(errno, name)
    for name in ("ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOLCK")
    if hasattr(errno, name)
}
"""Some network drives know no locks; a run there is better than none."""


class FolderLock:
    """Holds a folder for this process; the system lets go of it even after a kill -9.

    Parameters
    ----------
    folder : Path
        Created where it is missing. The lock is a file in it.
    out : Path
        Output that the folder belongs to, for the error.

    Raises
    ------
    ResumeError
        If another run holds it.
    OSError
        If the file cannot be made.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        path = folder / FILE_NAME
        while True:
            folder.mkdir(exist_ok=True)
            try:
                self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:
                continue  # its holder has just removed the folder
            try:
                _lock(self._descriptor)
            except BlockingIOError:
                os.close(self._descriptor)
                raise ResumeError(
                    f"{out}: another run is writing it at this moment; wait for it or stop it"
                ) from None
            except BaseException:
                os.close(self._descriptor)
                raise
            if _is_same_file(self._descriptor, path):
                return
            # The holder finished and removed the folder between our opening and our locking.
            os.close(self._descriptor)

    def release(self) -> None:
        """Let go; the file stays."""
        os.close(self._descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> None:
    """Lock an open file, or raise `BlockingIOError` where another one did."""
    try:
        if os.name == "nt":
            import msvcrt

            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            except PermissionError as error:
                raise BlockingIOError(error.errno, "locked") from error
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
