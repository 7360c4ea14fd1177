"""`UnfinishedWork`: the hidden folder beside an output in which a run can be taken up again.

It holds the store that becomes the result, a record of the run, and a journal of its finished
windows. No pixel is kept twice: what the store holds is compared with the journal's checksums.
Each order in which a kill or a power cut may tear these is met by one of two rules. What cannot be
read, or is not as it was written, is done again. And the record is written after the store was
made and deleted before the store is, so that without it there is nothing to go on with.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.export.atomic import (
    SWEEP_PAUSE_S,
    SWEEPS,
    hidden_sibling,
    named_as,
    publish,
    remove,
    translate_os_errors,
    unfinished_folder,
)
from napari_gmff.export.working import create_working_store
from napari_gmff.unfinished.journal import Journal, JournalContent, WindowEntry
from napari_gmff.unfinished.lock import FILE_NAME as LOCK_NAME
from napari_gmff.unfinished.lock import FolderLock
from napari_gmff.unfinished.record import FILE_NAME, RunRecord, load_record, save_record
from napari_gmff.unfinished.store import (
    Place,
    block_sums,
    delete_strays,
    metadata_files,
    read_blocks,
    restore_metadata,
)

if TYPE_CHECKING:
    import zarr

    from napari_gmff.export.layout import ImageSpec

JOURNAL_NAME = "journal"
STORE_NAME = "store"


@dataclass(frozen=True)
class EarlierWork:
    """What a run found of one that was stopped.

    Attributes
    ----------
    is_continued : bool
        Whether the run goes on with it; else it was replaced.
    n_windows : int
        Windows that were finished.
    n_total : int or None
        Windows of the whole run; None for one that was replaced.
    n_damaged : int
        Those of them that were not as they had been written, and are done again.
    interruptions : int
        How often the work was stopped so far.
    """

    is_continued: bool
    n_windows: int
    n_total: int | None = None
    n_damaged: int = 0
    interruptions: int = 0


@contextmanager
def unfinished_work(out: Path, is_resumed: bool) -> Iterator[UnfinishedWork]:
    """Hold the unfinished work of an output while the block runs.

    It is deleted where the block succeeds, or ends before a window was finished.

    Parameters
    ----------
    out : Path
        The output.
    is_resumed : bool
        Whether to go on with what there is; else it is replaced once there is something better.

    Raises
    ------
    ResumeError
        If another run holds it, or it is damaged beyond use.
    OutputError
        If it cannot be written.
    """
    folder = unfinished_folder(out)
    with translate_os_errors(folder), named_as(out, folder):
        lock = FolderLock(folder, out)
        is_kept, has_failed = True, True
        try:
            work = UnfinishedWork(out, folder, is_resumed)
            try:
                yield work
                is_kept = has_failed = False
            finally:
                is_kept = is_kept and work.is_worth_keeping
        finally:
            if is_kept:
                lock.release()
            else:
                _give_up(out, folder, lock)
                if has_failed:
                    _sweep_late_writes(folder)


def _give_up(out: Path, folder: Path, lock: FolderLock) -> None:
    """Delete the folder, so that nobody who asks for the lock meanwhile gets a doomed one."""
    aside = hidden_sibling(out, "partial")
    if os.name == "nt":  # which moves no folder that holds an open file
        lock.release()
    folder.rename(aside)
    if os.name != "nt":
        lock.release()
    remove(aside)


def _sweep_late_writes(folder: Path) -> None:
    """Delete what threads wrote that had begun before a write of another one failed.

    They make the folders anew that they write to, which nobody holds.
    """
    for _ in range(SWEEPS):
        time.sleep(SWEEP_PAUSE_S)
        if folder.is_dir() and not (folder / LOCK_NAME).exists():
            remove(folder / STORE_NAME)
            with suppress(OSError):  # a run that begins now may have put its lock there
                folder.rmdir()


class UnfinishedWork:
    """The unfinished work of one output; made by `unfinished_work`.

    Attributes
    ----------
    store : Path
        Folder of the store that becomes the result.
    found : RunRecord or None
        Of the run to go on with; None if there is none.
    entries : dict of (int, int) to WindowEntry
        Finished windows that are as they were written, by time point and window.
    earlier : EarlierWork or None
        What was found; complete once it was checked, None where nothing was.
    """

    def __init__(self, out: Path, folder: Path, is_resumed: bool) -> None:
        self._out, self._folder = out, folder
        self._journal = Journal(folder / JOURNAL_NAME)
        self._content = JournalContent()
        self.store = folder / STORE_NAME
        self.found: RunRecord | None = None
        self.entries: dict[tuple[int, int], WindowEntry] = {}
        self.earlier: EarlierWork | None = None
        # Killed after the result had got its name, a run leaves a record but no store.
        if has_work(folder):
            self._content = self._journal.read()
            n_windows = len(self._content.entries) + self._content.n_damaged
            self.earlier = EarlierWork(False, n_windows)
            self.found = load_record(folder, out) if is_resumed else None

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is a finished window, of this run or of one that was not replaced yet."""
        is_old = bool(self._content.entries or self._content.n_damaged)
        return has_work(self._folder) and (is_old or bool(self.entries))

    @contextmanager
    def publishing(self, overwrite: bool) -> Iterator[Path]:
        """Give the store the output's name when the block succeeds; see `atomic.staging`."""
        yield self.store
        publish(self.store, self._out, overwrite)

    @contextmanager
    def exporting(self, overwrite: bool) -> Iterator[Path]:
        """Yield where to write an output that is made from the store, and give it its name."""
        folder = self._folder / "export"
        remove(folder)
        folder.mkdir()
        yield folder / self._out.name
        publish(folder / self._out.name, self._out, overwrite)

    def take_store(self) -> Path:
        """Move the store out of the work, to a hidden folder that is the caller's to delete."""
        aside = hidden_sibling(self._out, "partial")
        self.store.rename(aside)
        return aside

    def created(self, specs: Mapping[str, ImageSpec], record: RunRecord) -> zarr.Group:
        """Make a new store in place of what was there.

        Parameters
        ----------
        specs : mapping of str to ImageSpec
            Images of the result.
        record : RunRecord
            Of the run; the store's metadata are added to it.
        """
        _clear(self._folder)
        self._content = JournalContent()
        group = create_working_store(self.store, specs.values())
        save_record(self._folder, replace(record, files=metadata_files(self.store)))
        return group

    def reopened(self, specs: Mapping[str, ImageSpec]) -> zarr.Group:
        """Open the store of the work found, its metadata as they were."""
        import zarr

        assert self.found is not None
        self._journal.add_interruption()
        restore_metadata(self.store, self.found.files)
        group = zarr.open_group(str(self.store), mode="r+")
        delete_strays(group, specs.values(), self.found.files)
        return group

    def iter_check(
        self,
        group: zarr.Group,
        specs: Mapping[str, ImageSpec],
        n_times: int,
        places: Sequence[Place],
        least: float | None,
    ) -> Iterator[None]:
        """Read all windows and compare them with the journal; fills `entries`.

        Parameters
        ----------
        group, specs
            The store and its images.
        n_times : int
            Time points of the result.
        places : sequence of tuple of slice
            Rows and columns of each window.
        least : float or None
            `depth_min_confidence` as for `block_sums`.

        Yields
        ------
        None
            After each window of each time point.
        """
        is_changed = False
        for t in range(n_times):
            for number, place in enumerate(places):
                # Also windows that were never finished: what cannot be read must go, since the
                # border of a window is written into the chunk of another.
                blocks = read_blocks(group, specs, t, place)
                is_changed = is_changed or blocks is None
                entry = self._content.entries.get((t, number))
                if entry and blocks and entry.sums == block_sums(blocks, specs, least):
                    self.entries[entry.key] = entry
                yield
        if is_changed:
            # A disk that fails now and then may have given a chunk before it was deleted.
            for (t, number), entry in list(self.entries.items()):
                blocks = read_blocks(group, specs, t, places[number])
                if blocks is None or entry.sums != block_sums(blocks, specs, least):
                    del self.entries[entry.key]
        self._settle()

    def _settle(self) -> None:
        n_windows = len(self._content.entries) + self._content.n_damaged
        interruptions = self._content.interruptions + 1
        self._journal.rewrite(self.entries.values(), interruptions)
        n_damaged = n_windows - len(self.entries)
        n_total = None if self.found is None else self.found.n_windows
        self.earlier = EarlierWork(True, n_windows, n_total, n_damaged, interruptions)
        self._content = JournalContent()

    def add(self, entry: WindowEntry) -> None:
        """Note a window whose pixels are in the store."""
        self._journal.add(entry)
        self.entries[entry.key] = entry


def has_work(folder: Path) -> bool:
    """Whether a folder of unfinished work holds some."""
    return (folder / FILE_NAME).exists() and (folder / STORE_NAME).is_dir()


def _clear(folder: Path) -> None:
    """Delete all but the lock; first the record, without which the rest is nothing."""
    (folder / FILE_NAME).unlink(missing_ok=True)
    for name in (f"{FILE_NAME}.new", JOURNAL_NAME, f"{JOURNAL_NAME}.new", "export", STORE_NAME):
        remove(folder / name)
