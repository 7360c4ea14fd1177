"""`napari-gmff fuse` on several positions: an output each, and what happens where one fails."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff import open_result
from napari_gmff.cli.main import main
from napari_gmff.provenance import read_provenance
from tests.stacks import textured

STACKS = {name: textured((3, 40, 50), seed=seed) for seed, name in enumerate(("A/1", "B/2"))}
CLASSICAL = ("--engine", "laplacian-energy")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "plate.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, data in STACKS.items():
            writer.write(data, photometric="minisblack", metadata={"axes": "ZYX", "Name": name})
    return path


def write_slices(folder: Path, data: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, plane in enumerate(data):
        tifffile.imwrite(folder / f"{number}.tif", plane)


def fuse(source: Path, out: Path, *flags: str, code: int = 0) -> None:
    assert main(["fuse", str(source), "-o", str(out), *CLASSICAL, *flags]) == code


def assert_fused_from(out: Path, data: np.ndarray) -> None:
    with open_result(out) as result:
        index = result.focus_index.compute()
        chosen = np.take_along_axis(data, index[None].astype(int), 0)[0]
        np.testing.assert_array_equal(result.fused.compute(), chosen)


def test_each_position_becomes_a_result_of_its_own(source: Path, tmp_path: Path) -> None:
    fuse(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A_1", "B_2"]
    for folder, (name, data) in zip(("A_1", "B_2"), STACKS.items(), strict=True):
        assert_fused_from(tmp_path / "out" / folder, data)
        record = read_provenance(tmp_path / "out" / folder)
        assert record["parameters"]["position"] == name
        assert record["source"]["name"] == f"plate.ome.tif {folder}"


def test_one_position_is_fused_into_the_output_itself(source: Path, tmp_path: Path) -> None:
    for number, (wanted, data) in enumerate(zip(("A/1", "1"), STACKS.values(), strict=True)):
        fuse(source, tmp_path / str(number), "--position", wanted)
        assert_fused_from(tmp_path / str(number), data)


def test_a_position_that_fails_is_named_and_the_others_are_fused(
    tmp_path: Path, capsys: Any
) -> None:
    for number in (1, 2, 3):
        write_slices(tmp_path / "stage" / f"Pos{number}", textured((3, 40, 50)))
    bad = tmp_path / "stage" / "Pos2" / "1.tif"
    bad.write_bytes(bad.read_bytes()[:200])
    fuse(tmp_path / "stage", tmp_path / "out", "--json", code=2)
    printed = capsys.readouterr()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Pos1", "Pos3"]
    summary = json.loads(printed.out)
    assert list(summary["positions"]) == ["Pos1", "Pos3"]
    assert "1.tif" in summary["failed"]["Pos2"]
    assert "position Pos2: " in printed.err
    assert printed.err.splitlines()[-1] == "napari-gmff: 1 of 3 positions failed: Pos2"


def test_where_all_fail_nothing_is_left(tmp_path: Path, capsys: Any) -> None:
    for number in (1, 2):
        write_slices(tmp_path / "stage" / str(number), textured((3, 40, 50)))
        (tmp_path / "stage" / str(number) / "2.tif").write_bytes(b"II*\x00")
    fuse(tmp_path / "stage", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()
    assert "0 of 2 positions fused" in capsys.readouterr().out


def test_a_wrong_parameter_is_said_once(source: Path, tmp_path: Path, capsys: Any) -> None:
    fuse(source, tmp_path / "out", "--region", "0:99,0:9", code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert "region" in line
    assert not (tmp_path / "out").exists()


def test_existing_outputs_are_refused_before_anything_is_fused(
    source: Path, tmp_path: Path, capsys: Any
) -> None:
    fuse(source, tmp_path / "out", "--quiet")
    before = (tmp_path / "out" / "A_1" / "zarr.json").stat().st_mtime_ns
    fuse(source, tmp_path / "out", code=2)
    assert "A_1, B_2 already there, and only replaced with --overwrite" in capsys.readouterr().err
    assert (tmp_path / "out" / "A_1" / "zarr.json").stat().st_mtime_ns == before
    fuse(source, tmp_path / "out", "--overwrite", "--quiet")
    assert (tmp_path / "out" / "A_1" / "zarr.json").stat().st_mtime_ns > before


def test_a_result_is_no_folder_for_positions(source: Path, tmp_path: Path, capsys: Any) -> None:
    fuse(source, tmp_path / "out", "--position", "0", "--quiet")
    fuse(source, tmp_path / "out", "--overwrite", code=2)
    assert "is a result itself" in capsys.readouterr().err


def test_what_is_no_result_is_never_replaced(source: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out" / "B_2").mkdir(parents=True)
    (tmp_path / "out" / "B_2" / "thesis.txt").write_text("do not delete")
    fuse(source, tmp_path / "out", "--overwrite", code=2)
    assert "B_2: only a result of napari-gmff is replaced" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["B_2"]


def test_corrections_are_those_of_one_position(source: Path, tmp_path: Path, capsys: Any) -> None:
    fuse(source, tmp_path / "out", "--corrections", "a.npz", code=2)
    assert "name it with --position" in capsys.readouterr().err


def test_an_interrupt_ends_the_run_and_finished_positions_stay(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_gmff import pipeline

    real, calls = pipeline.fuse, []

    def interrupted_at_second(*args: Any, **options: Any) -> Any:
        calls.append(options["output"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(pipeline, "fuse", interrupted_at_second)
    fuse(source, tmp_path / "out", code=130)
    assert_fused_from(tmp_path / "out" / "A_1", STACKS["A/1"])
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_resuming_keeps_finished_positions_and_fuses_the_rest(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    fuse(source, out)
    before = (out / "A_1" / "zarr.json").stat()
    shutil.rmtree(out / "B_2")
    capsys.readouterr()
    fuse(source, out, "--resume")
    assert "1 of 2 positions fused, 1 were already there" in capsys.readouterr().out
    assert (out / "A_1" / "zarr.json").stat() == before
    assert_fused_from(out / "B_2", STACKS["B/2"])
    fuse(source, out, "--resume", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["positions"] == report["failed"] == {}
    assert report["already_there"] == {"A/1": str(out / "A_1"), "B/2": str(out / "B_2")}


@pytest.mark.parametrize("change", ["parameters", "pixels"])
def test_resuming_never_takes_the_result_of_another_run_for_one_of_this(
    change: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    fuse(source, out)
    shutil.rmtree(out / "B_2")
    if change == "pixels":
        with tifffile.TiffWriter(source, ome=True) as writer:
            for name, data in STACKS.items():
                options = {"metadata": {"axes": "ZYX", "Name": name}}
                writer.write(data + np.uint8(1), photometric="minisblack", **options)
        fuse(source, out, "--resume", code=2)
        expected = r"A_1: .*another run \(source: was .*, now "
    else:
        fuse(source, out, "--resume", "--block-px", "512", code=2)
        expected = r"A_1: .*another run \(block_px: was 1024, now 512\)"
    assert re.search(expected, capsys.readouterr().err)
    assert not (out / "B_2").exists()


def test_resuming_takes_no_restored_image_for_a_finished_position(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    fuse(source, out)
    shutil.rmtree(out / "B_2")
    file = out / "A_1" / "zarr.json"
    values = json.loads(file.read_text())
    values["attributes"]["napari_gmff"]["provenance"]["restoration"] = {"seeds": [1]}
    file.write_text(json.dumps(values))
    fuse(source, out, "--resume", code=2)
    assert re.search(r"A_1: .*restored by a generative model", capsys.readouterr().err)
    assert not (out / "B_2").exists()
