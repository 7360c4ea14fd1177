"""A run that was stopped goes on where it was, and comes to the same result bit for bit."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff import FocusStack, fuse, iter_fuse, open_result, read_stack
from napari_gmff import run as run_module
from napari_gmff.errors import FusionCancelled, OutputError, ParameterError, ResumeError
from napari_gmff.export import ome_zarr
from napari_gmff.pipeline import Progress
from napari_gmff.provenance import read_provenance
from tests.export.conftest import largest_file
from tests.stacks import (
    NEIGHBOURS,
    SMALL_BLOCKS,
    NeighbourEngine,
    registered,
    stack_of,
    textured,
)

OPTIONS: dict[str, Any] = {"engine": "laplacian-energy", **SMALL_BLOCKS}

ARRAY = textured((2, 128, 560))
"""Eight windows, whose pixels lie in two chunks."""

N_WINDOWS = 8


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for outputs."""
    made = tmp_path / "results"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of a run that was not stopped."""
    out = tmp_path_factory.mktemp("expected") / "out"
    fuse(stack_of(ARRAY), output=out, **OPTIONS).close()
    return files_of(out)


def files_of(out: Path) -> dict[str, bytes]:
    """Return all files of a result; of the record only what is not of this very run."""
    files = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    root = json.loads(files["zarr.json"])
    record = root["attributes"]["napari_gmff"]["provenance"]
    record["date"] = None
    record["interruptions"] = 0
    record["warnings"] = [text for text in record["warnings"] if "resumed" not in text]
    return {**files, "zarr.json": json.dumps(root, sort_keys=True).encode()}


def stopped_after(
    n_windows: int, out: Path, stack: FocusStack | None = None, **options: Any
) -> None:
    """Run, and stop where a number of windows is finished."""
    stack = stack_of(ARRAY) if stack is None else stack
    run = iter_fuse(stack, output=out, **{"resume": True, **OPTIONS, **options})
    found = 0
    for progress in run:
        found += progress.window is not None
        if found == n_windows:
            break
    run.close()


def resumed(out: Path, stack: FocusStack | None = None, **options: Any) -> list[Progress]:
    """Go on to the end; return all steps."""
    stack = stack_of(ARRAY) if stack is None else stack
    steps = list(iter_fuse(stack, output=out, resume=True, **{**OPTIONS, **options}))
    return steps


def n_fused(steps: list[Progress]) -> int:
    return sum(step.window is not None for step in steps)


def work_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.unfinished")


@pytest.mark.parametrize("n_windows", [1, 5, 8])
def test_a_run_stopped_after_a_window_goes_on_with_the_next(
    folder: Path, expected: dict[str, bytes], n_windows: int
) -> None:
    stopped_after(n_windows, folder / "out")
    assert [path.name for path in folder.iterdir()] == [".out.unfinished"]
    steps = resumed(folder / "out")
    assert n_fused(steps) == N_WINDOWS - n_windows
    assert [path.name for path in folder.iterdir()] == ["out"]
    assert files_of(folder / "out") == expected


def test_a_run_stopped_at_every_window_in_turn_comes_to_the_same_result(
    folder: Path, expected: dict[str, bytes]
) -> None:
    for _ in range(N_WINDOWS):
        stopped_after(1, folder / "out")
    steps = resumed(folder / "out")
    assert n_fused(steps) == 0
    assert files_of(folder / "out") == expected
    record = read_provenance(folder / "out")
    assert record["interruptions"] == N_WINDOWS
    assert record["warnings"] == [f"resumed after {N_WINDOWS} interruptions"]


def test_a_run_stopped_inside_a_window_does_that_one_again(
    folder: Path, expected: dict[str, bytes]
) -> None:
    run = iter_fuse(stack_of(ARRAY), output=folder / "out", resume=True, **OPTIONS)
    n_windows = 0
    for progress in run:
        n_windows += progress.window is not None
        if n_windows == 3 and progress.window is None:
            break
    run.close()
    steps = resumed(folder / "out")
    assert n_fused(steps) == N_WINDOWS - 3
    assert files_of(folder / "out") == expected


def test_progress_of_a_resumed_run_starts_with_what_was_done(folder: Path) -> None:
    stopped_after(4, folder / "out")
    steps = resumed(folder / "out")
    assert list(dict.fromkeys(step.stage for step in steps)) == [
        "measure", "check", "fuse", "export",
    ]  # fmt: skip
    for stage in ("measure", "check", "fuse", "export"):
        done = [step.done for step in steps if step.stage == stage]
        assert done == sorted(done)
        assert done[-1] == next(step.total for step in steps if step.stage == stage)
    first = next(step for step in steps if step.stage == "fuse")
    assert first.done == first.total * 4 // N_WINDOWS
    assert first.earlier is not None
    assert (first.earlier.is_continued, first.earlier.n_windows) == (True, 4)
    assert (first.earlier.n_damaged, first.earlier.interruptions) == (0, 1)


@pytest.mark.parametrize("how", ["should_stop", "throw", "interrupt"])
def test_however_a_run_ends_its_windows_are_kept(
    folder: Path, expected: dict[str, bytes], how: str
) -> None:
    out, seen = folder / "out", []

    def count(progress: Progress) -> None:
        seen.append(progress)
        if how == "interrupt" and n_fused(seen) == 2:
            raise KeyboardInterrupt

    if how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            fuse(stack_of(ARRAY), output=out, keep_unfinished=True, on_progress=count, **OPTIONS)
    else:
        run = iter_fuse(
            stack_of(ARRAY),
            output=out,
            keep_unfinished=True,
            should_stop=lambda: how == "should_stop" and n_fused(seen) >= 2,
            **OPTIONS,
        )
        with pytest.raises((FusionCancelled, ZeroDivisionError)):
            for progress in run:
                count(progress)
                if how == "throw" and n_fused(seen) == 2:
                    run.throw(ZeroDivisionError())
    assert n_fused(resumed(out)) == N_WINDOWS - 2
    assert files_of(out) == expected


def test_a_run_stopped_before_its_first_window_leaves_nothing(folder: Path) -> None:
    run = iter_fuse(stack_of(ARRAY), output=folder / "out", resume=True, **OPTIONS)
    next(step for step in run if step.stage == "fuse" and step.done)
    assert work_of(folder / "out").is_dir()
    run.close()
    assert list(folder.iterdir()) == []


def test_without_resume_nothing_is_kept_and_what_others_kept_stays(folder: Path) -> None:
    stopped_after(2, folder / "other")
    before = sorted(work_of(folder / "other").rglob("*"))
    stopped_after(2, folder / "out", resume=False)
    fuse(stack_of(ARRAY), output=folder / "other", **OPTIONS).close()
    assert {path.name for path in folder.iterdir()} == {"other", ".other.unfinished"}
    assert sorted(work_of(folder / "other").rglob("*")) == before


def test_nothing_is_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_after(3, folder / "out")

    def fail(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(run_module, "iter_measure_input", fail)
    assert n_fused(resumed(folder / "out")) == N_WINDOWS - 3


def test_a_start_without_resume_replaces_unfinished_work(
    folder: Path, expected: dict[str, bytes]
) -> None:
    stopped_after(3, folder / "out", projections=True)
    run = iter_fuse(stack_of(ARRAY), output=folder / "out", keep_unfinished=True, **OPTIONS)
    first = next(step for step in run if step.stage == "fuse")
    assert first.earlier is not None
    assert (first.earlier.is_continued, first.earlier.n_windows) == (False, 3)
    assert n_fused([first, *run]) == N_WINDOWS
    assert files_of(folder / "out") == expected


def test_unfinished_work_stays_until_something_takes_its_place(folder: Path) -> None:
    stopped_after(3, folder / "out")
    run = iter_fuse(stack_of(ARRAY), output=folder / "out", keep_unfinished=True, **OPTIONS)
    next(run)
    run.close()
    with pytest.raises(ParameterError):
        fuse(stack_of(ARRAY), output=folder / "out", keep_unfinished=True, channel=5, **OPTIONS)
    assert n_fused(resumed(folder / "out")) == N_WINDOWS - 3


def test_an_old_result_stays_until_the_new_one_is_whole(folder: Path) -> None:
    out = folder / "out"
    fuse(stack_of(ARRAY), output=out, **OPTIONS).close()
    before = files_of(out)
    stack = stack_of(ARRAY[::-1])
    stopped_after(5, out, stack, overwrite=True)
    assert files_of(out) == before
    with pytest.raises(OutputError, match="already exists"):
        resumed(out, stack)
    assert n_fused(resumed(out, stack, overwrite=True)) == N_WINDOWS - 5
    assert files_of(out) != before
    assert [path.name for path in folder.iterdir()] == ["out"]


def test_a_series_of_channels_and_times_is_resumed(folder: Path) -> None:
    array = textured((2, 2, 3, 150, 130))
    stack = stack_of(array, "TCZYX")
    fuse(stack, output=folder / "whole", **OPTIONS).close()
    stopped_after(5, folder / "out", stack)
    assert n_fused(resumed(folder / "out", stack)) == 2 * 2 * 2 - 5
    assert files_of(folder / "out") == files_of(folder / "whole")


def test_voxels_that_are_not_finite_are_counted_once(folder: Path) -> None:
    array = textured((2, 140, 300), "float32")
    array[0, 20, ::40] = np.nan
    stack = stack_of(array)
    fuse(stack, output=folder / "whole", **OPTIONS).close()
    stopped_after(3, folder / "out", stack)
    resumed(folder / "out", stack)
    assert files_of(folder / "out") == files_of(folder / "whole")
    assert "8 voxels" in read_provenance(folder / "out")["warnings"][0]


class TalkingEngine(NeighbourEngine):
    """Has something to say in its first window."""

    name = "talking"

    def iter_scores(self, *args, **options):  # type: ignore[no-untyped-def]
        self.notes = ("the memory did not suffice",)
        yield from super().iter_scores(*args, **options)


def test_what_an_engine_said_before_is_not_forgotten_or_said_twice(folder: Path) -> None:
    with registered("talking", f"{__name__}:TalkingEngine"):
        stopped_after(3, folder / "out", engine="talking")
        resumed(folder / "out", engine="talking")
    assert read_provenance(folder / "out")["warnings"] == [
        "the memory did not suffice",
        "resumed after 1 interruption",
    ]


def test_an_engine_that_sees_neighbours_is_resumed(folder: Path) -> None:
    with registered(NEIGHBOURS, "tests.stacks:NeighbourEngine"):
        fuse(stack_of(ARRAY), output=folder / "whole", **{**OPTIONS, "engine": NEIGHBOURS}).close()
        stopped_after(4, folder / "out", engine=NEIGHBOURS)
        resumed(folder / "out", engine=NEIGHBOURS)
    assert files_of(folder / "out") == files_of(folder / "whole")


def tiffs_of(out: Path) -> dict[str, list[np.ndarray]]:
    found = {}
    for path in sorted(out.glob("*.tif*")):
        with tifffile.TiffFile(path) as file:
            found[path.name] = [level.asarray() for level in file.series[0].levels]
    return found


@pytest.mark.parametrize("where", ["window", "export"])
def test_a_folder_of_ome_tiffs_is_resumed(folder: Path, temporary: Path, where: str) -> None:
    options = {"format": "ome-tiff", "depth_min_confidence": 0.2}
    fuse(stack_of(ARRAY), output=folder / "whole", **options, **OPTIONS).close()
    run = iter_fuse(
        stack_of(ARRAY), output=folder / "out", keep_unfinished=True, **options, **OPTIONS
    )
    next(step for step in run if step.window is not None or step.stage == where == "export")
    if where == "export":
        next(step for step in run if step.stage == where)
    run.close()
    with fuse(stack_of(ARRAY), output=folder / "out", resume=True, **options, **OPTIONS) as result:
        unmarked = result.depth.compute()
    assert np.isfinite(unmarked).all()
    found, whole = tiffs_of(folder / "out"), tiffs_of(folder / "whole")
    assert found.keys() == whole.keys()
    for name, levels in whole.items():
        for one, other in zip(found[name], levels, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert {path.name for path in folder.iterdir()} == {"out", "whole"}
    assert list(temporary.iterdir()) == []


def test_a_result_that_is_saved_later_is_kept_beside_its_output(folder: Path) -> None:
    kept = {"keep_unfinished": folder / "out", **OPTIONS}
    run = iter_fuse(stack_of(ARRAY), **kept)
    next(step for step in run if step.window is not None)
    run.close()
    steps = []
    with fuse(stack_of(ARRAY), resume=True, on_progress=steps.append, **kept) as result:
        assert n_fused(steps) == N_WINDOWS - 1
        result.save(folder / "out")
    assert [path.name for path in folder.iterdir()] == ["out"]


@pytest.mark.parametrize("option", ["resume", "keep_unfinished"])
def test_unfinished_work_needs_an_output(option: str) -> None:
    with pytest.raises(ParameterError, match=f"{option}: needs an output"):
        fuse(stack_of(ARRAY), **{option: True}, **OPTIONS)


def test_marking_and_pyramids_that_broke_off_do_not_count_as_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"depth_min_confidence": 0.3}
    fuse(stack_of(ARRAY), output=folder / "whole", **options, **OPTIONS).close()
    build, built = ome_zarr.build_pyramid, []

    def fail_later(*args: Any) -> int:
        built.append(args)
        if len(built) == 3:
            raise OSError(28, "No space left on device")
        return build(*args)

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="No space left"):
        patch.setattr(ome_zarr, "build_pyramid", fail_later)
        resumed(folder / "out", **options)
    assert (work_of(folder / "out") / "store" / "fused" / "1").is_dir()
    steps = resumed(folder / "out", **options)
    assert n_fused(steps) == 0
    assert files_of(folder / "out") == files_of(folder / "whole")


def test_a_full_disk_keeps_what_was_done(folder: Path, expected: dict[str, bytes]) -> None:
    with (
        largest_file(120_000),
        pytest.raises(OutputError, match=r"out: cannot be written \(File too large\)") as caught,
    ):
        resumed(folder / "out")
    assert "unfinished" not in str(caught.value)
    steps = resumed(folder / "out")
    assert 0 < n_fused(steps) < N_WINDOWS
    assert files_of(folder / "out") == expected


def test_two_runs_of_one_output_do_not_meet(folder: Path, expected: dict[str, bytes]) -> None:
    run = iter_fuse(stack_of(ARRAY), output=folder / "out", resume=True, **OPTIONS)
    next(step for step in run if step.window is not None)
    for option in ({"resume": True}, {"keep_unfinished": True}):
        with pytest.raises(ResumeError, match="out: another run is writing it"):
            fuse(stack_of(ARRAY), output=folder / "out", **option, **OPTIONS)
    list(run)
    assert files_of(folder / "out") == expected


# Damage


def chunks_of(out: Path) -> list[Path]:
    store = work_of(out) / "store"
    return [path for path in sorted(store.rglob("*")) if path.is_file() and "c" in path.parts]


def flip(path: Path, position: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped byte at the end": flip,
    "a flipped byte in the middle": lambda path: flip(path, path.stat().st_size // 2),
    "a flipped byte in the header": lambda path: flip(path, 5),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize(
    ("damage", "n_windows"),
    [*((damage, 8) for damage in DAMAGE), ("cut in half", 3), ("gone", 3)],
)
def test_only_what_is_damaged_is_done_again(
    folder: Path, expected: dict[str, bytes], damage: str, n_windows: int
) -> None:
    stopped_after(n_windows, folder / "out")
    # Of one image the second of its chunks, of another the first.
    store = work_of(folder / "out") / "store"
    chunk = store / "focus_index/0/c/0/1" if n_windows == 8 else store / "depth/0/c/0/0"
    DAMAGE[damage](chunk)
    steps = resumed(folder / "out")
    earlier = next(step.earlier for step in steps if step.earlier)
    assert earlier.n_windows == n_windows
    assert 0 < earlier.n_damaged <= (1 if n_windows == 8 else 3)
    assert n_fused(steps) == N_WINDOWS - n_windows + earlier.n_damaged
    assert files_of(folder / "out") == expected
    assert "found damaged and fused again" in read_provenance(folder / "out")["warnings"][0]


def test_a_chunk_torn_by_a_window_that_never_finished_is_no_obstacle(
    folder: Path, expected: dict[str, bytes]
) -> None:
    stopped_after(1, folder / "out")
    store = work_of(folder / "out") / "store"
    torn = store / "fused/0/c/0/1"
    assert not torn.exists()
    torn.write_bytes(b"torn")
    (store / "fused/0/c/0/0.1234.partial").write_bytes(b"of a write that was killed")
    assert n_fused(resumed(folder / "out")) == N_WINDOWS - 1
    assert files_of(folder / "out") == expected


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("zarr.json", "gone"),
        ("fused/zarr.json", "empty"),
        ("depth/0/zarr.json", "a flipped byte in the middle"),
    ],
)
def test_metadata_of_the_store_are_restored(
    folder: Path, expected: dict[str, bytes], name: str, damage: str
) -> None:
    stopped_after(5, folder / "out")
    DAMAGE[damage](work_of(folder / "out") / "store" / name)
    assert n_fused(resumed(folder / "out")) == N_WINDOWS - 5
    assert files_of(folder / "out") == expected


def copies(source: Path, target: Path) -> Iterator[Path]:
    """Yield the same unfinished work again and again."""
    while True:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        yield target


def test_a_journal_damaged_anywhere_costs_its_windows_and_nothing_else(
    folder: Path, expected: dict[str, bytes]
) -> None:
    stopped_after(3, folder / "out")
    kept = folder / "kept"
    shutil.move(work_of(folder / "out"), kept)
    n_bytes = (kept / "journal").stat().st_size
    line = n_bytes // 3
    works = copies(kept, work_of(folder / "out"))
    for cut, n_left in [(0, 0), (n_bytes - 1, 2)]:
        journal = next(works) / "journal"
        journal.write_bytes(journal.read_bytes()[:cut])
        assert n_fused(resumed(folder / "out", overwrite=True)) == N_WINDOWS - n_left
        assert files_of(folder / "out") == expected
    for position in (20, line - 1):
        flip(next(works) / "journal", position)
        steps = resumed(folder / "out", overwrite=True)
        assert N_WINDOWS - 3 < n_fused(steps) <= N_WINDOWS - 1
        assert files_of(folder / "out") == expected


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_damaged_record_is_refused_and_kept(
    folder: Path, expected: dict[str, bytes], place: float
) -> None:
    stopped_after(3, folder / "out")
    record = work_of(folder / "out") / "run.json"
    flip(record, round(place * (record.stat().st_size - 1)))
    before = record.read_bytes()
    with pytest.raises(ResumeError, match=r"out: the unfinished work .*run\.json is damaged"):
        resumed(folder / "out")
    assert record.read_bytes() == before
    fuse(stack_of(ARRAY), output=folder / "out", keep_unfinished=True, **OPTIONS).close()
    assert files_of(folder / "out") == expected


def test_work_without_a_record_or_a_store_is_no_work(
    folder: Path, expected: dict[str, bytes]
) -> None:
    for name in ("run.json", "store"):
        stopped_after(3, folder / "out", overwrite=True)
        path = work_of(folder / "out") / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        steps = resumed(folder / "out", overwrite=True)
        assert next(step for step in steps if step.stage == "fuse").earlier is None
        assert n_fused(steps) == N_WINDOWS
        assert files_of(folder / "out") == expected


# Refusals


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, ARRAY, ome=True, metadata={"axes": "ZYX"})
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"block_px": 256}, "block_px: was 128, now 256"),
        ({"halo_px": 16}, "halo_px: was 32, now 16"),
        ({"engine": NEIGHBOURS}, f"engine: was laplacian-energy, now {NEIGHBOURS}"),
        ({"input_sigma_px": 1.0}, "input_sigma_px: was auto, now 1.0"),
        ({"z_range": (0, 1)}, r"z_range: was not set, now \[0, 1\]"),
        ({"region": ((0, 9), (0, 9))}, "region: was not set, now"),
        ({"projections": True}, "projections: was False, now True"),
        ({"device": "cpu"}, "device: was auto, now cpu"),
        ({"depth_min_confidence": 0.1}, "depth_min_confidence: was not set, now 0.1"),
        ({"format": "ome-tiff"}, "format: was ome-zarr, now ome-tiff"),
    ],
)
def test_other_parameters_are_refused_by_name(
    folder: Path, source: Path, changed: dict[str, Any], message: str
) -> None:
    with (
        read_stack(source) as stack,
        registered(NEIGHBOURS, "tests.stacks:NeighbourEngine"),
    ):
        stopped_after(2, folder / "out", stack)
        with pytest.raises(ResumeError, match=message) as caught:
            resumed(folder / "out", stack, **changed)
        assert "images" not in str(caught.value)
        assert "starts from the beginning" in str(caught.value)


def test_what_cannot_change_the_result_may_differ(folder: Path, expected: dict[str, bytes]) -> None:
    stopped_after(2, folder / "out")
    # A network's threads change its rounding; this engine has none.
    assert n_fused(resumed(folder / "out", memory_limit_mb=64, threads=1)) == N_WINDOWS - 2
    found, whole = files_of(folder / "out"), dict(expected)
    del found["zarr.json"], whole["zarr.json"]  # the record names the parameters
    assert found == whole


def test_a_source_changed_where_its_fingerprint_does_not_look_is_refused(
    folder: Path, source: Path
) -> None:
    with read_stack(source) as stack:
        stopped_after(2, folder / "out", stack)
        before = stack.fingerprint
    changed = ARRAY.copy()
    changed[0, 3, 5] ^= 1
    tifffile.imwrite(source, changed, ome=True, metadata={"axes": "ZYX"})
    with read_stack(source) as stack:
        assert stack.fingerprint == before
        with pytest.raises(ResumeError, match=r"source.files: was 1 file of .*, now 1 file of"):
            resumed(folder / "out", stack)


def test_a_moved_source_is_the_same(folder: Path, source: Path, tmp_path: Path) -> None:
    with read_stack(source) as stack:
        stopped_after(2, folder / "out", stack)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(source, moved / source.name)
    with read_stack(moved / source.name) as stack:
        assert n_fused(resumed(folder / "out", stack)) == N_WINDOWS - 2


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (lambda: stack_of(ARRAY[:, ::-1].copy()), r"source.pixels and metadata \(sha256\): was"),
        (lambda: stack_of(ARRAY[:, :, :300]), r"source.shape: was \[1, 1, 2, 128, 560\], now"),
        (lambda: stack_of(ARRAY, voxel_size_um=(2, 1, 1)), r"source.voxel_size_um: was \[None"),
    ],
)
def test_another_stack_is_refused(
    folder: Path, stack: Callable[[], FocusStack], message: str
) -> None:
    stopped_after(2, folder / "out")
    with pytest.raises(ResumeError, match=message):
        resumed(folder / "out", stack())


def test_another_version_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_gmff
    from napari_gmff.unfinished import identity

    stopped_after(2, folder / "out")
    with monkeypatch.context() as patch:
        patch.setattr(napari_gmff, "__version__", "99.0")
        with pytest.raises(ResumeError, match=r"napari-gmff: was .*, now 99\.0"):
            resumed(folder / "out")
    versions = identity.library_versions()
    with monkeypatch.context() as patch:
        patch.setattr(identity, "library_versions", lambda: {**versions, "scipy": "0.1"})
        with pytest.raises(ResumeError, match=r"libraries\.scipy: was .*, now 0\.1"):
            resumed(folder / "out")
    assert n_fused(resumed(folder / "out")) == N_WINDOWS - 2


def test_other_weights_and_threads_are_refused(folder: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    from tests.stacks import random_weights

    weights = random_weights(tmp_path)
    stack = stack_of(textured((2, 70, 150)))
    options = {"engine": "stackmff-v4", "weights": str(weights), "threads": 1}
    stopped_after(1, folder / "out", stack, **options)
    with pytest.raises(ResumeError, match="threads: was 1, now 2"):
        resumed(folder / "out", stack, **{**options, "threads": 2})
    copy = shutil.copy(weights, tmp_path / "copy.safetensors")
    state = load_file(weights)
    save_file({name: value * 1.5 for name, value in state.items()}, weights)
    with pytest.raises(ResumeError, match=r"engine\.weights\.\w*sha256: was \w+, now \w+"):
        resumed(folder / "out", stack, **options)
    shutil.move(copy, weights)
    assert torch.get_num_threads() >= 1
    assert n_fused(resumed(folder / "out", stack, **options)) >= 1
    with open_result(folder / "out") as result:
        assert result.provenance["interruptions"] == 1


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_damaged_the_result_is_right_or_the_run_refused(
    folder: Path, expected: dict[str, bytes], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stopped_after(int(rng.integers(1, N_WINDOWS + 1)), folder / "out")
    files = [path for path in sorted(work_of(folder / "out").rglob("*")) if path.is_file()]
    for path in rng.choice(np.array(files, dtype=object), int(rng.integers(1, 4)), replace=False):
        kind = rng.choice(["gone", "cut", "flipped", "longer"])
        data = path.read_bytes()
        place = int(rng.integers(0, len(data) + 1))
        if kind == "gone":
            path.unlink()
        elif kind == "cut":
            path.write_bytes(data[:place])
        elif kind == "longer":
            path.write_bytes(data[:place] + rng.bytes(50) + data[place:])
        elif data:
            flip(path, min(place, len(data) - 1))
    try:
        resumed(folder / "out")
    except ResumeError:
        fuse(stack_of(ARRAY), output=folder / "out", keep_unfinished=True, **OPTIONS).close()
    assert files_of(folder / "out") == expected
    assert [path.name for path in folder.iterdir()] == ["out"]
