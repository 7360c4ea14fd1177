from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_gmff.errors import OutputError
from napari_gmff.export.atomic import (
    check_not_source,
    staging,
    stale_partials,
    translate_os_errors,
)
from napari_gmff.provenance import FILE_NAME
from tests.export.conftest import largest_file, record

as_root = hasattr(os, "geteuid") and os.geteuid() == 0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def old_result(folder: Path) -> Path:
    folder.mkdir()
    (folder / FILE_NAME).write_text(json.dumps(record()))
    (folder / "old.txt").write_text("old")
    return folder


def test_the_output_appears_only_when_the_block_is_done(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with staging(out) as partial:
        (partial / "data").write_text("new")
        assert not out.exists()
        assert partial.parent == tmp_path
        assert partial.name.startswith(".") and "partial" in partial.name
    assert names(tmp_path) == ["out"]
    assert names(out) == ["data"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_the_block_fails(tmp_path: Path, stop: type[BaseException]) -> None:
    with pytest.raises(stop), staging(tmp_path / "out") as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "data").write_text("half")
        raise stop
    assert names(tmp_path) == []


def test_nothing_is_left_when_a_generator_is_closed_half_way(tmp_path: Path) -> None:
    def run() -> Iterator[int]:
        with staging(tmp_path / "out") as partial:
            (partial / "data").write_text("half")
            yield 1
            raise AssertionError("must not go on")

    generator = run()
    assert next(generator) == 1
    generator.close()
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "empty folder", "result", "broken link"])
def test_an_existing_output_stops_the_run_before_it_starts(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "empty folder":
        out.mkdir()
    elif kind == "result":
        old_result(out)
    else:
        out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match=r"out: already exists.*--overwrite"), staging(out):
        raise AssertionError("must not start")
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["folder", "file", "foreign record"])
def test_overwrite_replaces_nothing_but_results(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
        if kind == "foreign record":
            (out / FILE_NAME).write_text('{"program": "another"}')
            (out / "zarr.json").write_text('{"attributes": {"ome": {}}}')
    with pytest.raises(OutputError, match=r"out: .*result of napari-gmff"), staging(out, True):
        raise AssertionError("must not start")
    kept = out if kind == "file" else out / "thesis.txt"
    assert kept.read_text() == "mine"


def test_overwrite_replaces_an_old_result_whole(tmp_path: Path) -> None:
    out = old_result(tmp_path / "out")
    with staging(out, overwrite=True) as partial:
        (partial / "new.txt").write_text("new")
        assert names(out) == ["old.txt", FILE_NAME]
    assert names(tmp_path) == ["out"]
    assert names(out) == ["new.txt"]


def test_a_failed_run_leaves_the_old_result_as_it_was(tmp_path: Path) -> None:
    out = old_result(tmp_path / "out")
    with pytest.raises(ValueError, match="broke"), staging(out, overwrite=True) as partial:
        (partial / "new.txt").write_text("new")
        raise ValueError("broke")
    assert names(tmp_path) == ["out"]
    assert (out / "old.txt").read_text() == "old"


def test_the_old_result_returns_when_publishing_fails(tmp_path: Path) -> None:
    out = old_result(tmp_path / "out")
    with pytest.raises(OutputError, match="out"), staging(out, overwrite=True) as partial:
        partial.rmdir()
    assert names(tmp_path) == ["out"]
    assert (out / "old.txt").read_text() == "old"


def test_a_name_taken_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputError, match="already exists"), staging(out) as partial:
        (partial / "new.txt").write_text("new")
        out.mkdir()
    assert names(tmp_path) == ["out"]
    assert names(out) == []


def test_a_single_file_may_replace_a_file_but_not_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "panel.png"
    out.write_text("old")
    with staging(out, overwrite=True, is_file=True) as partial:
        partial.write_text("new")
    assert out.read_text() == "new"
    assert names(tmp_path) == ["panel.png"]
    folder = old_result(tmp_path / "folder")
    with pytest.raises(OutputError, match="is a folder"), staging(folder, True, is_file=True):
        raise AssertionError("must not start")


def test_a_link_to_an_old_result_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    target = old_result(tmp_path / "target")
    out = tmp_path / "out"
    out.symlink_to(target, target_is_directory=True)
    with staging(out, overwrite=True) as partial:
        (partial / "new.txt").write_text("new")
    assert names(out) == ["new.txt"]
    assert names(target) == ["old.txt", FILE_NAME]


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_an_output_without_a_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="a name of its own"), staging(out, overwrite=True):
        raise AssertionError("must not start")


def test_a_relative_output_is_published_and_named_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with staging("out") as partial:
        (partial / "data").write_text("new")
    assert names(tmp_path) == ["out"]
    with pytest.raises(OutputError, match=r"^other: cannot"), staging("other") as partial:
        (partial.resolve() / "missing" / "data").write_text("new")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    out = tmp_path / "missing" / "out"
    with pytest.raises(OutputError, match=r"missing must be an existing folder"), staging(out):
        raise AssertionError("must not start")
    assert names(tmp_path) == []


@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="out: cannot be written"), staging(tmp_path / "out"):
            raise AssertionError("must not start")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system nobody may write")
def test_an_unwritable_file_system_is_an_output_error() -> None:
    out = Path("/proc/out.ome.zarr")
    with pytest.raises(OutputError, match=r"/proc/out.ome.zarr: cannot be written"), staging(out):
        raise AssertionError("must not start")


def test_a_name_too_long_for_the_disk_is_an_output_error(tmp_path: Path) -> None:
    out = tmp_path / ("x" * 300)
    with pytest.raises(OutputError), staging(out) as partial:
        (partial / "data").write_text("done")
    assert names(tmp_path) == []


def test_long_names_that_the_disk_takes_can_be_staged(tmp_path: Path) -> None:
    out = tmp_path / ("µ" * 120)
    with staging(out) as partial:
        (partial / "data").write_text("done")
    assert names(tmp_path) == [out.name]


def test_a_disk_that_takes_no_more_bytes_names_the_output_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    with (
        pytest.raises(OutputError, match=r"out: cannot be written \(File too large\)") as caught,
        largest_file(10_000),
        staging(out) as partial,
    ):
        (partial / "data").write_bytes(b"x" * 100_000)
    assert "partial" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_path_inside_the_hidden_folder_is_named_as_the_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, staging(tmp_path / "out") as partial:
        (partial / "missing" / "data").write_text("x")
    assert str(caught.value).startswith(f"{tmp_path / 'out'}: ")
    assert "partial" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_output_error() -> None:
    with (
        pytest.raises(OutputError, match=r"result: cannot be written \(No space left on device\)"),
        translate_os_errors("result"),
        open("/dev/full", "wb", buffering=0) as file,
    ):
        file.write(b"x")


def test_an_error_of_another_file_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), staging(tmp_path / "out"):
        (tmp_path / "source.tif").read_bytes()
    with pytest.raises(OSError, match="read error") as caught, translate_os_errors(tmp_path):
        raise OSError(errno.EIO, "read error")
    assert not isinstance(caught.value, OutputError)


@pytest.mark.parametrize(
    ("out", "source"),
    [
        ("stack", "stack"),
        ("stack/result", "stack"),
        ("data", "data/stack.tif"),
        ("data/../stack", "stack"),
        ("link/result", "stack"),
    ],
)
def test_an_output_that_touches_its_source_is_refused(
    tmp_path: Path, out: str, source: str
) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "stack", target_is_directory=True)
    with pytest.raises(OutputError, match="apart from the source"):
        check_not_source(tmp_path / out, [tmp_path / "elsewhere", tmp_path / source])


def test_an_output_beside_its_source_is_fine(tmp_path: Path) -> None:
    check_not_source(tmp_path / "stack.ome.zarr", [tmp_path / "stack.tif", tmp_path / "stack"])


KILLED = """
import sys, time
from pathlib import Path
from napari_gmff.export.atomic import staging
with staging(Path(sys.argv[1])) as partial:
    (partial / "data").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_what_a_killed_run_leaves_is_hidden_and_found_and_a_live_run_is_not(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert stale_partials(tmp_path) == []
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not stale_partials(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    (left,) = stale_partials(tmp_path)
    assert names(tmp_path) == [left.name]
    assert left.name.startswith(".out.partial-")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
    assert names(tmp_path) == []


def test_what_a_thread_writes_after_a_failure_is_deleted_too(tmp_path: Path) -> None:
    def write() -> None:
        while partial.exists():
            time.sleep(0.001)
        partial.mkdir()
        (partial / "late").write_bytes(b"late")

    with pytest.raises(KeyError), staging(tmp_path / "out", overwrite=False) as partial:
        thread = threading.Thread(target=write)
        thread.start()
        raise KeyError("failed")
    thread.join()
    assert names(tmp_path) == []
