"""Each line of a journal is what was written, or is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_gmff.unfinished.journal import Journal, WindowEntry
from tests.export.conftest import largest_file

ENTRIES = [
    WindowEntry(0, 0, {"fused": "aa", "depth": "bb"}, 0),
    WindowEntry(0, 1, {"fused": "cc", "depth": "dd"}, 7, ("a note of µm",)),
    WindowEntry(1, 0, {"fused": "ee", "depth": "ff"}, 2),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of three windows."""
    path = tmp_path / "journal"
    journal = Journal(path)
    for entry in ENTRIES:
        journal.add(entry)
    return path


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    content = Journal(tmp_path / "none").read()
    assert (content.entries, content.interruptions, content.n_damaged) == ({}, 0, 0)


def test_entries_are_read_as_they_were_added(path: Path) -> None:
    content = Journal(path).read()
    assert list(content.entries.values()) == ENTRIES
    assert list(content.entries) == [(0, 0), (0, 1), (1, 0)]


def test_a_line_that_broke_off_is_no_damage_wherever_it_did(path: Path) -> None:
    data = path.read_bytes()
    first, second = (len(line) for line in data.splitlines(keepends=True)[:2])
    for n_bytes in range(first, first + second):
        path.write_bytes(data[:n_bytes])
        content = Journal(path).read()
        assert list(content.entries.values()) == ENTRIES[:1]
        assert content.n_damaged == 0


def test_no_flipped_byte_is_overlooked(path: Path) -> None:
    data = path.read_bytes()
    for position in range(len(data) - 1):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        content = Journal(path).read()
        assert content.n_damaged >= 1
        assert len(content.entries) < len(ENTRIES)
        assert all(entry in ENTRIES for entry in content.entries.values())


def test_what_broke_off_does_not_spoil_what_is_added(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(path)
    journal.add_interruption()
    journal.add(ENTRIES[2])
    content = journal.read()
    assert list(content.entries.values()) == ENTRIES
    assert (content.interruptions, content.n_damaged) == (1, 1)


def test_a_rewritten_journal_keeps_the_count_of_interruptions(path: Path) -> None:
    journal = Journal(path)
    journal.rewrite(ENTRIES[1:], interruptions=4)
    journal.add_interruption()
    content = journal.read()
    assert list(content.entries.values()) == ENTRIES[1:]
    assert (content.interruptions, content.n_damaged) == (5, 0)


def test_a_disk_that_is_full_leaves_the_older_lines(path: Path) -> None:
    n_bytes = path.stat().st_size
    with largest_file(n_bytes + 10), pytest.raises(OSError, match="too large"):
        Journal(path).add(WindowEntry(1, 1, {}, 0))
    assert path.stat().st_size == n_bytes + 10
    assert list(Journal(path).read().entries.values()) == ENTRIES
