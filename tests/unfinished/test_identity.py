"""What decides a result is told apart, and what does not is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from napari_gmff import FuseParams
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.errors import ResumeError
from napari_gmff.unfinished.identity import check_same, differences, files_of, identity_of
from tests.stacks import stack_of, textured


def identity(**options: object) -> dict[str, object]:
    params = FuseParams(engine="laplacian-energy", **options)
    return identity_of(stack_of(textured((2, 40, 50))), params, LaplacianEnergy(), [], "ome-zarr")


def test_a_run_is_the_same_as_itself() -> None:
    assert identity() == identity()
    check_same(identity(), identity(memory_limit_mb=100, threads=2), Path("out"))


def test_many_differences_are_counted_in_one_line() -> None:
    now = identity(block_px=128, halo_px=32, projections=True, input_sigma_px=2, channel=0)
    assert len(list(differences(identity(), now))) == 5
    with pytest.raises(ResumeError) as caught:
        check_same(identity(), now, Path("out"))
    text = str(caught.value)
    assert text.startswith("out: the unfinished work is of another run (")
    assert "block_px: was 1024, now 128" in text
    assert "and 1 more); without --resume" in text
    assert "\n" not in text


def test_what_one_version_records_and_the_other_does_not_is_a_difference() -> None:
    assert list(differences({"a": 1}, {"a": 1, "b": {"c": 2}})) == ["b.c: was not set, now 2"]
    assert list(differences({"a": 1, "b": 3}, {"a": 1})) == ["b: was 3, now not set"]


def test_a_long_value_is_cut_in_the_message() -> None:
    (text,) = differences({"z_positions_um": [0.5] * 300}, {"z_positions_um": None})
    assert len(text) < 150


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    folder = tmp_path / "slices"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/c.png"):
        (folder / name).write_bytes(b"pixels of " + name.encode())
    return folder


@pytest.mark.parametrize("pattern", [".", "a.png", "*.png"])
def test_files_of_a_source_are_told_from_changed_ones(slices: Path, pattern: str) -> None:
    source = os.path.normpath(slices / pattern)
    before = files_of([source])
    assert before is not None
    assert before == files_of([source])
    assert before.startswith({".": "3 files", "a.png": "1 file", "*.png": "2 files"}[pattern])
    state = (slices / "a.png").stat()
    (slices / "a.png").write_bytes(b"PIXELS of a.png")
    os.utime(slices / "a.png", ns=(state.st_atime_ns, state.st_mtime_ns + 10))
    assert files_of([source]) != before


def test_a_missing_or_renamed_slice_is_a_change_and_a_moved_folder_is_none(slices: Path) -> None:
    before = files_of([str(slices)])
    moved = slices.with_name("elsewhere")
    shutil.move(slices, moved)
    assert files_of([str(moved)]) == before
    (moved / "b.png").rename(moved / "d.png")
    assert files_of([str(moved)]) != before
    (moved / "d.png").unlink()
    assert files_of([str(moved)]) != before


def test_arrays_and_addresses_have_no_files() -> None:
    assert files_of([]) is None
    assert files_of(["https://example.org/stack.ome.zarr"]) is None
