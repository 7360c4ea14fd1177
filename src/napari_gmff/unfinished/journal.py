"""Which windows are finished: one checksummed line for each, written once its pixels are.

Nothing is forced to the disk. After a power cut a line may be there whose pixels are not; their
checksums then tell, and the window is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_SUM_BYTES = 8

# Windows would write two bytes for each end of a line.
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class WindowEntry:
    """A finished window.

    Attributes
    ----------
    time, window : int
        Time point of the result and number in the plan's windows, from 0.
    sums : dict of str to str
        Checksum of each image's block; see `store.block_sums`.
    invalid_voxels : int
        Source voxels that are not finite.
    notes : tuple of str
        What came up while the window was fused.
    """

    time: int
    window: int
    sums: dict[str, str]
    invalid_voxels: int
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """Time point and window."""
        return self.time, self.window


@dataclass
class JournalContent:
    """What a journal holds.

    Attributes
    ----------
    entries : dict of (int, int) to WindowEntry
        By time point and window.
    interruptions : int
        How often work was taken up again.
    n_damaged : int
        Lines that are not what was written. A last line that broke off is none of them: it was
        being written when the run ended.
    """

    entries: dict[tuple[int, int], WindowEntry] = field(default_factory=dict)
    interruptions: int = 0
    n_damaged: int = 0


class Journal:
    """The journal of a run, a file that only grows.

    Parameters
    ----------
    path : Path
        Its file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> JournalContent:
        """Read what is there; damaged lines are counted and left out.

        Raises
        ------
        OSError
            If the file exists and cannot be read.
        """
        content = JournalContent()
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return content
        *lines, _broken_off = data.split(b"\n")
        for line in lines:
            if not line:
                continue
            values = _checked(line)
            if values is None:
                content.n_damaged += 1
            elif "interruptions" in values:
                content.interruptions += int(values["interruptions"])
            else:
                entry = WindowEntry(**{**values, "notes": tuple(values["notes"])})
                content.entries[entry.key] = entry
        return content

    def add(self, entry: WindowEntry) -> None:
        """Note a finished window.

        Raises
        ------
        OSError
            If the disk is full.
        """
        self._append(_line(asdict(entry)))

    def add_interruption(self) -> None:
        """Note that the work is taken up again; whatever broke off before ends here."""
        self._append(b"\n" + _line({"interruptions": 1}))

    def rewrite(self, entries: Iterable[WindowEntry], interruptions: int) -> None:
        """Replace the journal by one without damaged lines, whole or not at all."""
        lines = [_line({"interruptions": interruptions})]
        lines += [_line(asdict(entry)) for entry in entries]
        replace_file(self._path, b"".join(lines))

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self._path, _APPEND, 0o666)
        try:
            # A disk that is nearly full takes a part, and says so only when the rest is to follow.
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that is there in full or as it was before, even after a power cut."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if os.name == "posix":  # Windows opens no folder, and needs none
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def checksum(data: bytes) -> str:
    """Return 16 hexadecimal digits that differ for any other bytes."""
    return hashlib.blake2b(data, digest_size=_SUM_BYTES).hexdigest()


def _line(values: dict[str, Any]) -> bytes:
    text = json.dumps(values).encode()
    return checksum(text).encode() + b" " + text + b"\n"


def _checked(line: bytes) -> dict[str, Any] | None:
    found, _, text = line.partition(b" ")
    if found != checksum(text).encode():
        return None
    values: dict[str, Any] = json.loads(text)
    return values
