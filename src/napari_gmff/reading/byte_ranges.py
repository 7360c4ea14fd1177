"""Ranges of bytes of the files behind a stack, through handles that are closed together."""

from __future__ import annotations

import threading
from io import FileIO
from pathlib import Path

from napari_gmff.errors import SourceError

MOST_OPEN_FILES = 32
"""Files kept open at once; a stack of hundreds of files must not use up the process's limit."""


class ByteRanges:
    """Reads ranges of bytes, from any thread.

    Attributes
    ----------
    bytes_read : int
        How much was read in all, for tests and benchmarks.
    """

    def __init__(self) -> None:
        self.bytes_read = 0
        self._files: dict[Path, FileIO] = {}
        self._lock = threading.Lock()
        self._closed = False

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Read `size` bytes from `offset` on.

        Raises
        ------
        SourceError
            If the file is gone, cannot be read, or ends before.
        """
        with self._lock:
            try:
                file = self._open(path)
                file.seek(offset)
                # One call may return less than asked for where it is more than 2 GiB.
                parts = [file.read(size)]
                while parts[-1] and sum(map(len, parts)) < size:
                    parts.append(file.read(size - sum(map(len, parts))))
                found = b"".join(parts) if len(parts) > 1 else parts[0]
            except OSError as error:
                raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
            self.bytes_read += len(found)
        if len(found) != size:
            raise SourceError(
                f"{path}: truncated file, {size} bytes were expected at {offset}, "
                f"found {len(found)}"
            )
        return found

    def read_strided(self, path: Path, offset: int, size: int, stride: int, count: int) -> bytes:
        """Read `count` pieces of `size` bytes that start `stride` bytes apart.

        Raises
        ------
        SourceError
            If the file is gone, cannot be read, or ends before.
        """
        found = bytearray(size * count)
        view = memoryview(found)
        with self._lock:
            try:
                file = self._open(path)
                for index in range(count):
                    file.seek(offset + index * stride)
                    got = file.readinto(view[index * size : (index + 1) * size])
                    self.bytes_read += got
                    if got != size:
                        raise SourceError(
                            f"{path}: truncated file, {size} bytes were expected at "
                            f"{offset + index * stride}, found {got}"
                        )
            except OSError as error:
                raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
        return bytes(found)

    def close(self) -> None:
        """Close all files; later reads fail."""
        with self._lock:
            self._closed = True
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _open(self, path: Path) -> FileIO:
        if self._closed:
            raise SourceError(f"{path}: the stack has been closed")
        file = self._files.pop(path, None)
        if file is None:
            if len(self._files) >= MOST_OPEN_FILES:
                oldest = next(iter(self._files))
                self._files.pop(oldest).close()
            # Unbuffered, so that a window costs the bytes of its tiles and no more.
            file = FileIO(path, "rb")
        self._files[path] = file
        return file

    def __del__(self) -> None:
        """Close what is left, for stacks that are dropped without `close`."""
        for file in self._files.values():
            file.close()
