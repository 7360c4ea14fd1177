"""A run reports where it stands, stops when told to, and leaves nothing behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack, fuse, iter_fuse, open_result, read_stack
from napari_gmff.errors import (
    FusionCancelled,
    GmffError,
    OutputError,
    ParameterError,
    SourceError,
)
from napari_gmff.pipeline import Progress
from tests.stacks import (
    NEIGHBOURS,
    SMALL_BLOCKS,
    NeighbourEngine,
    assert_same_images,
    images_of,
    registered,
    stack_of,
    textured,
)

FORMATS = pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff", None])


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files, which every test must leave empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _nothing_left(temporary: Path) -> Iterator[None]:
    yield
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.fixture
def out_folder(tmp_path: Path) -> Path:
    """Return an empty folder for outputs."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def counting_stack(n_slices: int = 6) -> tuple[FocusStack, list[int]]:
    """Return a stack of one window and the list that grows by each slice read."""
    array = textured((n_slices, 60, 60))
    read: list[int] = []

    def block(block_info=None):
        k = block_info[None]["array-location"][0][0]
        read.append(k)
        return array[k : k + 1]

    lazy = da.map_blocks(
        block, chunks=((1,) * n_slices, 60, 60), dtype=array.dtype, meta=np.empty((0, 0, 0), "u2")
    )
    return read_stack(lazy, axes="ZYX"), read


def output_of(folder: Path, format: str | None) -> dict[str, object]:
    return {} if format is None else {"output": folder / "out", "format": format}


def until(progress: Progress, stage: str, done: int) -> bool:
    return progress.stage == stage and progress.done >= done


@FORMATS
def test_progress_never_falls_and_ends_at_its_total(out_folder: Path, format: str | None) -> None:
    seen: list[Progress] = []
    array = textured((2, 3, 200, 150))
    result = fuse(
        stack_of(array, "TZYX"),
        on_progress=seen.append,
        **output_of(out_folder, format),
        **SMALL_BLOCKS,
    )
    result.close()
    stages = list(dict.fromkeys(one.stage for one in seen))
    assert stages == ["measure", "fuse", "export"][: 3 if format else 2]
    for stage in stages:
        of_stage = [one for one in seen if one.stage == stage]
        done = [one.done for one in of_stage]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, of_stage[0].total)
        assert {one.total for one in of_stage} == {of_stage[0].total}
    assert len({one.done for one in seen if one.stage == "fuse"}) > 2 * 3


@FORMATS
@pytest.mark.parametrize("how", ["should_stop", "close", "exception"])
def test_a_stopped_run_reads_no_further_slice_and_leaves_nothing(
    out_folder: Path, temporary: Path, format: str | None, how: str
) -> None:
    stack, read = counting_stack()
    stop = False
    run = iter_fuse(stack, should_stop=lambda: stop, **output_of(out_folder, format))
    for progress in run:
        if until(progress, "fuse", 1):
            break
    assert any([*out_folder.iterdir(), *temporary.iterdir()])
    before = len(read)
    if how == "should_stop":
        stop = True
        with pytest.raises(FusionCancelled, match="array: stopped on request"):
            next(run)
    elif how == "close":
        run.close()
    else:
        with pytest.raises(ZeroDivisionError):
            run.throw(ZeroDivisionError())
    assert read[before:] == []
    assert list(out_folder.iterdir()) == []
    assert list(temporary.iterdir()) == []
    with pytest.raises(StopIteration):
        next(run)


@FORMATS
@pytest.mark.parametrize("stage", ["measure", "fuse", "export"])
def test_an_error_in_the_callback_cleans_up_before_it_is_handled(
    out_folder: Path, temporary: Path, format: str | None, stage: str
) -> None:
    """As Ctrl-C in Jupyter, which keeps the error and with it the frames."""
    if format is None and stage == "export":
        pytest.skip("nothing is exported")

    def interrupt(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as kept:
        fuse(
            stack_of(textured((3, 40, 40))),
            on_progress=interrupt,
            **output_of(out_folder, format),
        )
    assert kept.value.__traceback__ is not None
    assert list(out_folder.iterdir()) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_a_stop_that_comes_after_the_output_is_out_does_not_deny_it(
    out_folder: Path, format: str
) -> None:
    asked: list[bool] = []

    def stop_at_the_end() -> bool:
        asked.append((out_folder / "out").exists())
        return asked[-1]

    run = iter_fuse(
        stack_of(textured((3, 40, 40))),
        should_stop=stop_at_the_end,
        **output_of(out_folder, format),
    )
    for _ in run:
        pass
    assert not any(asked)
    assert (out_folder / "out").is_dir()


def test_an_abandoned_run_cleans_up(out_folder: Path) -> None:
    run = iter_fuse(stack_of(textured((3, 40, 40))), output=out_folder / "out")
    for progress in run:
        if until(progress, "fuse", 1):
            break
    del run
    gc.collect()
    assert list(out_folder.iterdir()) == []


def test_scratch_files_of_an_engine_go_when_the_run_is_stopped(temporary: Path) -> None:
    class Scratching(NeighbourEngine):
        def iter_scores(self, *args, **options):  # type: ignore[no-untyped-def]
            with tempfile.TemporaryDirectory(prefix="scratch-"):
                yield from super().iter_scores(*args, **options)

    globals()["Scratching"] = Scratching
    with registered("scratching", f"{__name__}:Scratching"):
        run = iter_fuse(stack_of(textured((3, 40, 40))), engine="scratching")
        next(progress for progress in run if until(progress, "fuse", 1))
        assert list(temporary.glob("scratch-*"))
        run.close()
    assert list(temporary.iterdir()) == []


class FailingEngine(NeighbourEngine):
    """Fails as the class attribute says."""

    error: BaseException = RuntimeError("boom")

    def iter_scores(self, *args, **options):  # type: ignore[no-untyped-def]
        yield None
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("boom"), r"array: fusing failed \(RuntimeError: boom\)"),
        (NotImplementedError("no"), r"array: fusing failed \(NotImplementedError: no\)"),
        (StopIteration(), "array: fusing failed"),
        (OSError(28, "No space left on device"), "temporary files: cannot be written"),
        (OSError(28, "No space left on device", "scratch"), "scratch: cannot be written"),
    ],
)
def test_no_error_of_an_engine_is_a_runtime_error(
    out_folder: Path, error: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FailingEngine, "error", error)
    with registered("failing", f"{__name__}:FailingEngine"):
        for format in ("ome-tiff", None):
            with pytest.raises(GmffError, match=expected) as raised:
                fuse(
                    stack_of(textured((2, 30, 30))),
                    engine="failing",
                    **output_of(out_folder, format),
                )
            assert not isinstance(raised.value, RuntimeError)
    assert list(out_folder.iterdir()) == []


def failing_stack(error: Exception, from_slice: int = 1, n_slices: int = 3) -> FocusStack:
    """Return a stack whose slices cannot be read from one on."""
    array = textured((n_slices, 30, 30))

    def block(block_info=None):
        k = block_info[None]["array-location"][0][0]
        if k >= from_slice:
            raise error
        return array[k : k + 1]

    lazy = da.map_blocks(
        block, chunks=((1,) * n_slices, 30, 30), dtype=array.dtype, meta=np.empty((0, 0, 0), "u2")
    )
    return read_stack(lazy, axes="ZYX")


@pytest.mark.parametrize(
    "error",
    [OSError(5, "Input/output error"), RuntimeError("lost"), ValueError("lost"), KeyError("lost")],
)
def test_a_source_that_cannot_be_read_is_named_as_such(out_folder: Path, error: Exception) -> None:
    with pytest.raises(SourceError, match=r"array.*: cannot be read \(.*(lost|Input/output)"):
        fuse(failing_stack(error), output=out_folder / "out")
    assert list(out_folder.iterdir()) == []


def test_the_slice_that_cannot_be_read_is_named() -> None:
    array = textured((40, 30, 30), "uint8")
    left_out = 33

    def block(block_info=None):
        k = block_info[None]["array-location"][0][0]
        if k == left_out:
            raise OSError(5, "Input/output error")
        return array[k : k + 1]

    lazy = da.map_blocks(
        block, chunks=((1,) * 40, 30, 30), dtype=array.dtype, meta=np.empty((0, 0, 0), "u1")
    )
    reason = rf"^array: slice {left_out} of channel 0: cannot be read \(Input/output error\)$"
    with pytest.raises(SourceError, match=reason):
        fuse(read_stack(lazy, axes="ZYX"))


def test_lack_of_memory_is_left_to_the_caller() -> None:
    with pytest.raises(MemoryError):
        fuse(failing_stack(MemoryError()))  # type: ignore[arg-type]


def test_an_array_that_is_no_stack_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"stack: must be a FocusStack, .* got ndarray"):
        fuse(textured())  # type: ignore[arg-type]


def test_wrong_options_are_refused_before_anything_is_read(out_folder: Path) -> None:
    stack, read = counting_stack()
    for options in ({"colour": 1}, {"region": "0:99,0:9"}, {"format": "png"}, {"engine": "x"}):
        with pytest.raises(ParameterError):
            fuse(stack, output=out_folder / "out", **options)
    with pytest.raises(OutputError):
        fuse(stack, output=out_folder / "no" / "out")
    assert read == []


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_output_appears_only_when_it_is_complete(out_folder: Path, format: str) -> None:
    out = out_folder / "out"
    existed = [
        out.exists()
        for progress in iter_fuse(stack_of(textured((3, 40, 40))), **output_of(out_folder, format))
        if progress != Progress("export", 1, 1)
    ]
    assert len(existed) > 5
    assert not any(existed)
    assert [path.name for path in out_folder.iterdir()] == ["out"]


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_an_output_is_replaced_only_when_told_to(out_folder: Path, format: str) -> None:
    first, second = stack_of(textured(seed=1)), stack_of(textured(seed=2))
    options = output_of(out_folder, format)
    fuse(first, **options).close()
    before = sorted(path.stat().st_mtime_ns for path in out_folder.rglob("*"))
    with pytest.raises(OutputError, match="already exists"):
        fuse(second, **options)
    assert sorted(path.stat().st_mtime_ns for path in out_folder.rglob("*")) == before
    with fuse(second, overwrite=True, **options) as result:
        found = {name: result.image(name).compute() for name in result.images}
    assert_same_images(found, images_of(second))
    assert [path.name for path in out_folder.iterdir()] == ["out"]


def test_overwriting_spares_what_is_no_result(out_folder: Path) -> None:
    (out_folder / "out").mkdir()
    (out_folder / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="only a result of napari-gmff is replaced"):
        fuse(stack_of(textured()), output=out_folder / "out", overwrite=True)
    assert (out_folder / "out" / "thesis.txt").read_text() == "years of work"


def test_a_failed_run_keeps_the_output_it_should_have_replaced(out_folder: Path) -> None:
    out = out_folder / "out"
    stack = stack_of(textured())
    expected = images_of(stack)
    fuse(stack, output=out)
    with pytest.raises(SourceError):
        fuse(failing_stack(ValueError("lost")), output=out, overwrite=True)
    with open_result(out) as kept:
        assert_same_images({name: kept.image(name).compute() for name in kept.images}, expected)
    assert [path.name for path in out_folder.iterdir()] == ["out"]


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_results_are_the_same_with_and_without_an_output(out_folder: Path, format: str) -> None:
    stack = stack_of(textured((2, 3, 60, 50)), "CZYX")
    with fuse(stack, projections=True, **output_of(out_folder, format)) as result:
        found = {name: result.image(name).compute() for name in result.images}
    assert_same_images(found, images_of(stack, projections=True))


def test_a_temporary_store_goes_on_closing(temporary: Path) -> None:
    result = fuse(stack_of(textured()))
    assert result.is_temporary
    assert result.store_path.is_relative_to(temporary)
    result.close()
    assert list(temporary.iterdir()) == []


def test_a_temporary_store_goes_when_the_interpreter_ends(temporary: Path) -> None:
    program = (
        "import tempfile, sys, numpy; tempfile.tempdir = sys.argv[1];"
        "import napari_gmff as g; from pathlib import Path;"
        "a = numpy.random.default_rng(0).integers(0, 99, (2, 20, 20), 'uint8');"
        "kept = g.fuse(g.read_stack(a, axes='ZYX')); print(len(list(Path(sys.argv[1]).iterdir())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(temporary)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"]
    assert list(temporary.iterdir()) == []


def test_runs_in_several_threads_do_not_disturb_each_other(out_folder: Path) -> None:
    stacks = [stack_of(textured((3, 80, 90), seed=number)) for number in range(4)]
    expected = [images_of(stack) for stack in stacks]
    found: dict[int, dict[str, np.ndarray]] = {}

    def work(number: int) -> None:
        found[number] = images_of(stacks[number], output=out_folder / f"out {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, images in enumerate(expected):
        assert_same_images(found[number], images)


def test_two_runs_in_turns_do_not_disturb_each_other() -> None:
    """Generators of two runs, as two windows of a viewer would drive them."""
    stacks = [stack_of(textured((3, 150, 90), seed=number)) for number in range(2)]
    runs = [iter_fuse(stack, **SMALL_BLOCKS) for stack in stacks]
    results: dict[int, object] = {}
    while len(results) < 2:
        for number, run in enumerate(runs):
            if number not in results:
                try:
                    next(run)
                except StopIteration as finished:
                    results[number] = finished.value
    for number, stack in enumerate(stacks):
        result = results[number]
        found = {name: result.image(name).compute() for name in result.images}  # type: ignore[attr-defined]
        assert_same_images(found, images_of(stack, **SMALL_BLOCKS))


def test_an_engine_is_told_apart_by_its_row_alone() -> None:
    with registered(NEIGHBOURS, "tests.stacks:NeighbourEngine"):
        with fuse(stack_of(textured()), engine=NEIGHBOURS) as result:
            assert result.provenance["engine"] == NEIGHBOURS
    with pytest.raises(ParameterError, match=r"engine: must be one of .*laplacian-energy.*got"):
        fuse(stack_of(textured()), engine=NEIGHBOURS)
