"""What stopped runs left in a folder, looked at from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_gmff.errors import ResumeError
from napari_gmff.export.atomic import UNFINISHED, unfinished_folder
from napari_gmff.unfinished.journal import Journal
from napari_gmff.unfinished.lock import FILE_NAME as LOCK_NAME
from napari_gmff.unfinished.lock import FolderLock
from napari_gmff.unfinished.record import RunRecord, load_record
from napari_gmff.unfinished.work import JOURNAL_NAME, has_work


@dataclass(frozen=True)
class Leftover:
    """Unfinished work that no run holds.

    Attributes
    ----------
    folder : Path
        The hidden folder.
    out : Path
        Output that it belongs to.
    n_windows : int
        Windows that are noted as finished; 0 for a run that was killed before the first was.
    record : RunRecord or None
        Of the run; None where it is damaged or was not written yet.
    """

    folder: Path
    out: Path
    n_windows: int
    record: RunRecord | None

    @property
    def amount(self) -> str:
        """How much is done, such as ``"3 of 16 windows"``."""
        total = "?" if self.record is None else str(self.record.n_windows)
        return f"{self.n_windows} of {total} windows"


def leftover_of(out: Path) -> Leftover | None:
    """Return the unfinished work for an output; None where there is none, or a run holds it."""
    return _looked_at(unfinished_folder(out), out)


def find_leftovers(folder: Path) -> list[Leftover]:
    """Return the unfinished work in a folder that no run holds, sorted by name."""
    found = []
    for path in sorted(folder.glob(f".*{UNFINISHED}")):
        left = _looked_at(path, folder / path.name[1 : -len(UNFINISHED)])
        if left is not None:
            found.append(left)
    return found


def _looked_at(folder: Path, out: Path) -> Leftover | None:
    if not (folder / LOCK_NAME).exists():
        return None  # none of ours
    try:
        FolderLock(folder, out).release()
    except ResumeError:
        return None
    except OSError:
        pass  # a colleague's, which may be read at most
    if not has_work(folder):
        return Leftover(folder, out, 0, None)
    try:
        content = Journal(folder / JOURNAL_NAME).read()
    except OSError:
        return None
    try:
        record = load_record(folder, out)
    except ResumeError:
        record = None
    # A long name is cut in the folder's.
    named = out if record is None else out.with_name(record.output)
    return Leftover(folder, named, len(content.entries), record)
