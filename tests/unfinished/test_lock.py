"""A folder is held by one process, and by none that is dead."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_gmff.errors import ResumeError
from napari_gmff.unfinished import lock as lock_module
from napari_gmff.unfinished.lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from napari_gmff.unfinished.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), Path("out"))
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_makes_its_folder_and_is_free_again_once_released(tmp_path: Path) -> None:
    for _ in range(2):
        FolderLock(tmp_path / "folder", tmp_path / "out").release()
    assert (tmp_path / "folder").is_dir()


def test_a_second_lock_is_refused_in_the_same_program_too(tmp_path: Path) -> None:
    held = FolderLock(tmp_path / "folder", tmp_path / "out")
    with pytest.raises(ResumeError, match="out: another run is writing it"):
        FolderLock(tmp_path / "folder", tmp_path / "out")
    held.release()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "folder")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(ResumeError):
            FolderLock(tmp_path / "folder", tmp_path / "out")
        process.send_signal(signal.SIGKILL)
    FolderLock(tmp_path / "folder", tmp_path / "out").release()


@pytest.mark.skipif(os.name != "posix", reason="Windows deletes no open file")
def test_a_folder_that_is_deleted_meanwhile_is_made_and_locked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, really = tmp_path / "folder", lock_module._lock

    def late(descriptor: int) -> None:
        if not deleted:
            deleted.append(descriptor)
            shutil.rmtree(folder)
        really(descriptor)

    deleted: list[int] = []
    monkeypatch.setattr(lock_module, "_lock", late)
    held = FolderLock(folder, tmp_path / "out")
    assert deleted
    with pytest.raises(ResumeError):
        FolderLock(folder, tmp_path / "out")
    held.release()


@pytest.mark.skipif(os.name != "posix", reason="needs fcntl")
def test_a_drive_that_knows_no_locks_is_used_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def fail(*_: object) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", fail)
    code = errno.ENOLCK
    FolderLock(tmp_path / "folder", tmp_path / "out").release()
    code = errno.EIO
    with pytest.raises(OSError, match="no locks here"):
        FolderLock(tmp_path / "folder", tmp_path / "out")
