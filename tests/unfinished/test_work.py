"""Work that failed leaves nothing, not even what its threads wrote late."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from napari_gmff.unfinished.work import unfinished_work


def writes_late(target: Path, gone: Path) -> threading.Thread:
    """Write a file as a thread would whose write had begun before: after `gone` was deleted."""

    def write() -> None:
        while gone.exists():
            time.sleep(0.001)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"late")

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_what_a_thread_writes_after_a_failure_is_deleted_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), unfinished_work(tmp_path / "out", False) as work:
        work.store.mkdir()
        thread = writes_late(work.store / "fused" / "0" / "c", work.store)
        raise KeyError("failed")
    thread.join()
    assert list(tmp_path.iterdir()) == []


def test_what_another_run_has_begun_meanwhile_stays(tmp_path: Path) -> None:
    with pytest.raises(KeyError), unfinished_work(tmp_path / "out", False) as work:
        folder = work.store.parent
        thread = writes_late(folder / "lock", folder / "lock")
        raise KeyError("failed")
    thread.join()
    assert (folder / "lock").read_bytes() == b"late"
