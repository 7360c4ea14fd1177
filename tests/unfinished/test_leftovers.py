"""What stopped runs left is found, and what running ones hold is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_gmff import iter_fuse
from napari_gmff.unfinished.leftovers import find_leftovers, leftover_of
from tests.stacks import SMALL_BLOCKS, stack_of, textured


@pytest.mark.parametrize("name", ["out", "x" * 60, "µ" * 50])
def test_unfinished_work_is_found_once_nobody_holds_it(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    run = iter_fuse(
        stack_of(textured((2, 90, 200))),
        output=out,
        keep_unfinished=True,
        engine="laplacian-energy",
        **SMALL_BLOCKS,
    )
    next(step for step in run if step.window is not None)
    assert (leftover_of(out), find_leftovers(tmp_path)) == (None, [])
    run.close()
    (left,) = find_leftovers(tmp_path)
    assert left == leftover_of(out)
    assert (left.out, left.amount) == (out, "1 of 3 windows")
    (left.folder / "run.json").write_text("damaged")
    (left,) = find_leftovers(tmp_path)
    assert (left.record, left.amount) == (None, "1 of ? windows")


def test_outputs_whose_long_names_begin_alike_are_kept_apart(tmp_path: Path) -> None:
    for name in ("x" * 60 + "1", "x" * 60 + "2"):
        run = iter_fuse(
            stack_of(textured((2, 90, 60))),
            output=tmp_path / name,
            keep_unfinished=True,
            engine="laplacian-energy",
        )
        next(step for step in run if step.window is not None)
        run.close()
    assert len(find_leftovers(tmp_path)) == 2


def test_other_folders_are_no_unfinished_work(tmp_path: Path) -> None:
    (tmp_path / ".mine.unfinished").mkdir()
    (tmp_path / ".mine.unfinished" / "run.json").write_text("{}")
    assert find_leftovers(tmp_path) == []
    assert not (tmp_path / ".mine.unfinished" / "lock").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_run_killed_before_its_first_window_leaves_nothing_of_use(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from napari_gmff.unfinished.work import unfinished_work;"
        "work = unfinished_work(Path(sys.argv[1]), False); work.__enter__();"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert find_leftovers(tmp_path) == []
        process.kill()
    (left,) = find_leftovers(tmp_path)
    assert (left.out, left.n_windows, left.record) == (tmp_path / "out", 0, None)
