"""`napari-gmff fuse --resume`: whatever ended a run, the next one goes on."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff import open_result, read_stack
from napari_gmff.cli.main import main
from tests.stacks import assert_same_images, images_of, textured

FLAGS = ["--engine", "laplacian-energy", "--block-px", "128", "--halo-px", "32"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, textured((3, 190, 520)), ome=True, metadata={"axes": "ZYX"})
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for outputs."""
    made = tmp_path / "results"
    made.mkdir()
    return made


PROGRAM = """
import sys, time
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff import run
score, done = LaplacianEnergy.iter_scores, run.WindowDone
def slow(self, *args, **options):
    for item in score(self, *args, **options):
        time.sleep(float(sys.argv[1]))
        yield item
def told(*args):
    print("window", flush=True)
    return done(*args)
LaplacianEnergy.iter_scores, run.WindowDone = slow, told
from napari_gmff.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
"""The command line, slowed down and telling of each window it has finished."""


def start(source: Path, out: Path, *flags: str, pause_s: float = 0.02) -> subprocess.Popen[str]:
    command = ["fuse", str(source), "-o", str(out), *FLAGS, *flags]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(pause_s), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped_after(n_windows: int, number: int, source: Path, out: Path, *flags: str) -> str:
    """Stop the program by a signal where a number of windows is finished; return its stderr."""
    with start(source, out, *flags) as process:
        assert process.stdout is not None
        for _ in range(n_windows):
            assert process.stdout.readline() == "window\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number != signal.SIGKILL else -number)
    return err


def run(source: Path, out: Path, *flags: str) -> None:
    assert main(["fuse", str(source), "-o", str(out), *FLAGS, *flags]) == 0


def assert_whole(out: Path, source: Path) -> None:
    """Compare a result with one that was never stopped."""
    options = {"engine": "laplacian-energy", "block_px": 128, "halo_px": 32}
    with open_result(out) as result, read_stack(source) as stack:
        found = {name: result.image(name).compute() for name in result.images}
        assert_same_images(found, images_of(stack, **options))


posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_to_go_on_and_does(
    source: Path, folder: Path, capsys: Any, number: int
) -> None:
    out = folder / "out"
    err = stopped_after(3, number, source, out)
    assert re.fullmatch(
        r"napari-gmff: interrupted; [34] of 16 windows are done and kept; "
        r"the same command with --resume goes on\n",
        err,
    )
    assert [path.name for path in folder.iterdir()] == [".out.unfinished"]
    run(source, out, "--resume", "--json")
    summary = json.loads(capsys.readouterr().out)
    assert summary["resumed"].pop("n_windows") in (3, 4)
    assert summary["resumed"] == {
        "is_continued": True,
        "n_total": 16,
        "n_damaged": 0,
        "interruptions": 1,
    }
    assert summary["provenance"]["interruptions"] == 1
    assert_whole(out, source)


@posix
def test_ten_kills_at_random_moments_lose_nothing_that_was_finished(
    source: Path, folder: Path, capsys: Any
) -> None:
    out, rng = folder / "out", np.random.default_rng(7)
    journal = folder / ".out.unfinished" / "journal"
    done, first_window_s = 0, 0.0
    for number in range(10):
        # Slow enough that ten kills come before the last of 16 windows.
        with start(source, out, "--resume", pause_s=0.06) as process:
            began_s = time.monotonic()
            if number % 2 == 0:  # while windows are fused
                assert process.stdout is not None
                assert process.stdout.readline() == "window\n"
                first_window_s = time.monotonic() - began_s
                time.sleep(rng.uniform(0, 0.2))
            else:  # while the program starts, looks at what there is, or goes on
                time.sleep(rng.uniform(0.3, 1.1) * first_window_s)
            process.kill()
        assert process.returncode == -signal.SIGKILL, "the run was faster than the kills"
        before, done = done, journal.read_text().count('"window"')
        assert done >= before
    assert done >= 5
    run(source, out, "--resume", "--json")
    resumed = json.loads(capsys.readouterr().out)["resumed"]
    assert resumed["n_windows"] == done
    assert resumed["n_damaged"] == 0
    assert 5 <= resumed["interruptions"] <= 10  # a kill before it looked took nothing up
    assert [path.name for path in folder.iterdir()] == ["out"]
    assert_whole(out, source)


@posix
def test_a_run_is_alone_and_a_killed_one_holds_nothing(
    source: Path, folder: Path, capsys: Any
) -> None:
    out = folder / "out"
    with start(source, out, pause_s=0.5) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for flags in ([], ["--resume"]):
            assert main(["fuse", str(source), "-o", str(out), *FLAGS, *flags]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"napari-gmff: {out}: another run is writing it")
        assert main(["fuse", str(source), "-o", str(folder / "other"), *FLAGS]) == 0
        assert "unfinished" not in capsys.readouterr().err
        process.kill()
    run(source, out, "--resume")
    assert re.search(r"resumed: \d+ of 16 windows done already\n", capsys.readouterr().err)
    assert_whole(out, source)


def stop_here(source: Path, out: Path, *flags: str, n_windows: int = 3) -> None:
    """Leave unfinished work as an interrupted program does, without starting one."""
    from napari_gmff import iter_fuse
    from napari_gmff.cli.fuse import add_fuse_parser
    from napari_gmff.cli.parameter_flags import run_params

    parser = argparse.ArgumentParser()
    add_fuse_parser(parser.add_subparsers())
    args = parser.parse_args(["fuse", str(source), "-o", str(out), *FLAGS, *flags])
    with read_stack(source) as stack:
        steps = iter_fuse(
            stack,
            params=run_params(args),
            output=out,
            format=args.format or "ome-zarr",
            keep_unfinished=True,
        )
        found = 0
        while found < n_windows:
            found += next(steps).window is not None
        steps.close()


def test_a_new_start_says_that_it_replaces_unfinished_work(
    source: Path, folder: Path, capsys: Any
) -> None:
    stop_here(source, folder / "out", "--projections")
    run(source, folder / "out", "--quiet")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "napari-gmff: warning: unfinished work (3 windows done) is replaced; "
        "--resume would continue it"
    )
    assert_whole(folder / "out", source)


def test_resume_without_unfinished_work_starts_and_says_so(
    source: Path, folder: Path, capsys: Any
) -> None:
    run(source, folder / "out", "--resume", "--json")
    assert json.loads(capsys.readouterr().out)["resumed"] is None
    run(source, folder / "out", "--resume", "--overwrite")
    assert "nothing to resume, starting from the beginning\n" in capsys.readouterr().err


def test_damaged_windows_are_counted(source: Path, folder: Path, capsys: Any) -> None:
    stop_here(source, folder / "out")
    (folder / ".out.unfinished/store/depth/0/c/0/0").write_bytes(b"damaged")
    run(source, folder / "out", "--resume")
    out, err = capsys.readouterr()
    assert "resumed: 3 of 16 windows done already, 3 of them damaged and done again\n" in err
    assert "resumed after 1 interruption; 3 windows were found damaged and fused again" in err
    assert "fused with laplacian-energy" in out
    assert_whole(folder / "out", source)


def test_another_run_is_refused_in_one_line(source: Path, folder: Path, capsys: Any) -> None:
    stop_here(source, folder / "out")
    flags = ["--resume", "--block-px", "256", "--projections"]
    assert main(["fuse", str(source), "-o", str(folder / "out"), *FLAGS, *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"napari-gmff: {folder / 'out'}: the unfinished work is of another run (block_px: was 128, "
        "now 256, projections: was False, now True); without --resume (in Python resume=True) it "
        "starts from the beginning"
    )


@posix
def test_unfinished_work_of_others_is_named_with_the_command_that_goes_on(
    source: Path, folder: Path, capsys: Any
) -> None:
    other = folder / ("it's " + "long " * 12)
    stop_here(source, other, "--format", "ome-tiff", "--region", "0:180,0:440")
    run(source, folder / "out", "--quiet")
    (line,) = capsys.readouterr().err.splitlines()
    found = re.fullmatch(
        r"napari-gmff: warning: (.*): unfinished work for (.*) \(3 of 14 windows done\); "
        r"'(napari-gmff .*)' goes on, or delete it if it is yours",
        line,
    )
    assert found is not None
    assert (Path(found[1]).is_dir(), found[2]) == (True, str(other))
    _, *command = shlex.split(found[3])
    assert main(command) == 0
    assert (other / "fused.ome.tif").is_file()
    assert "resumed: 3 of 14 windows" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"out", other.name}


def test_a_full_disk_says_how_to_go_on(source: Path, folder: Path, capsys: Any) -> None:
    from tests.export.conftest import largest_file

    out = folder / "out"
    with largest_file(60_000):
        assert main(["fuse", str(source), "-o", str(out), *FLAGS, "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        rf"napari-gmff: {out}: cannot be written \(File too large\); \d+ of 16 windows are done "
        "and kept; the same command with --resume goes on",
        line,
    )
    run(source, out, "--quiet", "--resume")
    assert_whole(out, source)


@posix
def test_a_corrected_run_is_resumed(source: Path, folder: Path, tmp_path: Path) -> None:
    from napari_gmff import Corrections, fuse

    with read_stack(source) as stack, fuse(stack, engine="laplacian-energy") as result:
        labels = np.zeros(result.images["focus_index"].shape, np.uint16)
        labels[5:20, 5:20] = 2
        file = Corrections.of(result, labels).save(tmp_path / "corrections.npz")
    flags = ["--corrections", str(file)]
    stopped_after(3, signal.SIGINT, source, folder / "out", *flags)
    run(source, folder / "out", "--resume", *flags)
    with open_result(folder / "out") as result:
        assert result.provenance["interruptions"] == 1
        assert (result.focus_index[5:20, 5:20].compute() == 1).all()
    assert [path.name for path in folder.iterdir()] == ["out"]
