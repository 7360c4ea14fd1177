"""The unfinished file of a download: what it holds, its running hash, and whose turn it is."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Self

from napari_gmff.errors import DownloadError, OutputError

if sys.platform != "win32":
    import fcntl

_READ_BYTES = 1 << 20
_MAX_ETAG_BYTES = 1000


class PartFile:
    """Bytes of a download so far, in ``<target>.part``.

    Beside it ``<target>.etag`` keeps the server's name for that version of the file, so that a
    later call does not glue two versions together.

    Attributes
    ----------
    size : int
        Bytes held.
    etag : str or None
        Strong entity tag of what is held.
    """

    def __init__(self, target: Path, file: FileIO) -> None:
        self._target = target
        self._file = file
        self._path = _beside(target, ".part")
        self._etag_path = _beside(target, ".etag")
        self._hash = hashlib.sha256()
        self.size = 0
        self.etag: str | None = None
        self._take_up()

    @classmethod
    @contextmanager
    def opened(cls, target: Path) -> Iterator[Self]:
        """Open or make the part for `target`, for this process alone.

        An empty part is deleted at the end, any other kept for the next call.

        Raises
        ------
        DownloadError
            If another process is downloading the same file.
        OutputError
            If it cannot be opened.
        """
        path = _beside(target, ".part")
        try:
            # Unbuffered, or closing would try once more to write what a full disk refused.
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({_reason(error)})") from None
        with file:
            _lock(file, target)
            part = cls(target, file)
            try:
                yield part
            finally:
                part._tidy()

    @property
    def sha256(self) -> str:
        """SHA-256 of what is held."""
        return self._hash.hexdigest()

    def append(self, chunk: bytes) -> None:
        """Add bytes to the file and its hash.

        Raises
        ------
        OutputError
            If they cannot be written; what could not be is not counted.
        """
        try:
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({_reason(error)})") from None
        self._hash.update(chunk)
        self.size += len(chunk)

    def restart(self, etag: str | None = None) -> None:
        """Drop what is held; what follows is the version that `etag` names.

        A weak tag promises like meaning, not like bytes, so it is not kept.
        """
        strong = etag is not None and not etag.startswith("W/") and len(etag) <= _MAX_ETAG_BYTES
        self.etag = etag if strong else None
        self._hash = hashlib.sha256()
        self.size = 0
        try:
            self._file.truncate(0)
            if self.etag is None:
                self._etag_path.unlink(missing_ok=True)
            else:
                self._etag_path.write_text(self.etag, encoding="latin-1")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({_reason(error)})") from None

    def publish(self) -> None:
        """Give the whole file its name, in one step."""
        try:
            self._file.close()  # Windows renames closed files only
            self._path.replace(self._target)
        except OSError as error:
            raise OutputError(f"{self._target}: cannot be written ({_reason(error)})") from None

    def _take_up(self) -> None:
        """Hash what an earlier call left, since only the disk tells what arrived there."""
        try:
            self._file.seek(0)
            while chunk := self._file.read(_READ_BYTES):
                self._hash.update(chunk)
                self.size += len(chunk)
            if self.size and self._etag_path.is_file():
                etag = self._etag_path.read_text(encoding="latin-1")[:_MAX_ETAG_BYTES]
                self.etag = etag if etag.isprintable() else None
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be read ({_reason(error)})") from None

    def _tidy(self) -> None:
        if self._file.closed or not self.size:
            self._etag_path.unlink(missing_ok=True)
        if not self._file.closed and not self.size:
            self._file.close()
            self._path.unlink(missing_ok=True)


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def _lock(file: FileIO, target: Path) -> None:
    """Keep a second process from adding to the same part; the system unlocks when we end."""
    if sys.platform == "win32":  # there a damaged part is still caught by its SHA-256
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DownloadError(f"{target.name}: another process is downloading it now") from None
    except OSError:
        pass  # some network file systems have no locks; the SHA-256 guards there too


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
