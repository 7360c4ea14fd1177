"""`napari-gmff fuse`: every flag reaches the run, and what is printed can be relied on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff import fuse, open_result, read_stack
from napari_gmff.cli.main import main
from napari_gmff.params import RunParams
from napari_gmff.provenance import read_provenance
from napari_gmff.weights.card import ModelCard
from tests.stacks import assert_same_images, images_of, random_weights, textured


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file of 2 time points, 2 channels and 4 slices of known voxel size."""
    path = tmp_path / "stack.ome.tif"
    metadata = {
        "axes": "TCZYX",
        "Channel": {"Name": ["DAPI", "GFP"]},
        "PhysicalSizeX": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": 2.0,
        "PhysicalSizeZUnit": "µm",
    }
    tifffile.imwrite(path, textured((2, 2, 4, 60, 70)), ome=True, metadata=metadata)
    return path


def run(source: Path, out: Path, *flags: str) -> dict[str, Any]:
    """Fuse in this process, and return the record of the run."""
    assert main(["fuse", str(source), "-o", str(out), "--quiet", *flags]) == 0
    return read_provenance(out)


FLAGS = {
    "allow_remote": ("", True),
    "axes": ("TCZYX", "TCZYX"),
    "block_px": ("256", 256),
    "channel": ("GFP", "GFP"),
    "depth_min_confidence": ("0.25", 0.25),
    "device": ("cpu", "cpu"),
    "engine": ("laplacian-energy", "laplacian-energy"),
    "halo_px": ("32", 32),
    "input_range": ("-5:9000.5", [-5.0, 9000.5]),
    "input_sigma_px": ("1.5", 1.5),
    "memory_limit_mb": ("128", 128),
    "position": ("0", "0"),
    "projections": ("", True),
    "region": ("1:50,2:60", [[1, 50], [2, 60]]),
    "series": ("0", 0),
    "slice_order": ("unordered", "unordered"),
    "threads": ("1", 1),
    "time": ("1", [1, 2]),
    "voxel_size_um": ("3,,0.5", [3.0, None, 0.5]),
    "z_range": ("1:3", [1, 3]),
}


def test_every_parameter_has_a_flag_that_is_tested_here() -> None:
    assert set(FLAGS) | {"weights"} == set(RunParams.model_fields)


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_a_flag_reaches_the_run(source: Path, tmp_path: Path, name: str) -> None:
    text, expected = FLAGS[name]
    flag = f"--{name.replace('_', '-')}"
    record = run(source, tmp_path / "out", *([flag, text] if text else [flag]))
    assert record["parameters"][name] == expected


def test_flags_change_what_comes_out(source: Path, tmp_path: Path) -> None:
    flags = ["--time", "1", "--channel", "GFP", "--z-range", "1:4", "--region", "5:50,0:70"]
    run(source, tmp_path / "out", *flags, "--voxel-size-um", "3,,")
    with open_result(tmp_path / "out") as result, read_stack(source) as stack:
        found = {name: result.image(name).compute() for name in result.images}
        expected = images_of(
            stack.with_voxel_size((3, 0.25, 0.25)),
            time=1,
            channel=1,
            z_range=(1, 4),
            region=((5, 50), (0, 70)),
        )
        assert result.geometry.origin_um == (1.25, 0.0)
    assert_same_images(found, expected)


def test_weights_choose_the_network(source: Path, tmp_path: Path) -> None:
    weights = random_weights(tmp_path)
    record = run(source, tmp_path / "out", "--weights", str(weights), "--time", "0")
    assert record["engine"] == "stackmff-v4"
    assert record["parameters"]["weights"] == "random.safetensors"


def test_the_network_needs_no_weights_but_the_packages_own(
    source: Path, tmp_path: Path, random_shipped: ModelCard
) -> None:
    record = run(source, tmp_path / "out", "--engine", "stackmff-v4", "--time", "0")
    assert record["parameters"]["weights"] is None
    assert record["weights"]["name"] == random_shipped.name
    assert record["weights"]["sha256"] == random_shipped.sha256
    assert {entry["sigma_px"] for entry in record["inputs"]} == {0.0}


def test_a_series_of_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for seed in (0, 1):
            file.write(textured((2, 30, 40), seed=seed), metadata={"axes": "ZYX"})
    run(path, tmp_path / "out", "--series", "1")
    with open_result(tmp_path / "out") as result:
        found = {name: result.image(name).compute() for name in result.images}
    with read_stack(path, series=1) as stack:
        assert_same_images(found, images_of(stack))


def test_a_parameter_file_is_read_and_flags_override_it(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"z_range": [1, 3], "block_px": 256, "channel": 1}))
    record = run(
        source, tmp_path / "out", "--params", str(file), "--block-px", "128", "--halo-px=8"
    )
    parameters = record["parameters"]
    assert (parameters["z_range"], parameters["channel"]) == ([1, 3], 1)
    assert (parameters["block_px"], parameters["halo_px"]) == (128, 8)


def test_a_switch_of_the_parameter_file_can_be_taken_back(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text('{"projections": true}')
    run(source, tmp_path / "with", "--params", str(file))
    run(source, tmp_path / "without", "--params", str(file), "--no-projections")
    assert (tmp_path / "with" / "max_projection").is_dir()
    assert not (tmp_path / "without" / "max_projection").exists()


def test_the_parameters_of_a_record_repeat_the_run(source: Path, tmp_path: Path) -> None:
    first = run(source, tmp_path / "a", "--channel", "GFP", "--voxel-size-um", "1,1,1")
    file = tmp_path / "run.json"
    file.write_text(json.dumps(first["parameters"]))
    second = run(source, tmp_path / "b", "--params", str(file))
    assert {**first, "date": ""} == {**second, "date": ""}
    with open_result(tmp_path / "a") as a, open_result(tmp_path / "b") as b:
        for name in a.images:
            np.testing.assert_array_equal(a.image(name).compute(), b.image(name).compute())


def test_both_formats_hold_the_images_of_the_run(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out.ome.zarr")
    run(source, tmp_path / "tiff", "--format", "ome-tiff")
    names = ["confidence", "depth", "depth_unrefined", "focus_index", "fused"]
    zarr_names = sorted(path.name for path in (tmp_path / "out.ome.zarr").iterdir())
    assert [name for name in zarr_names if name in names] == names
    assert (tmp_path / "out.ome.zarr" / "fused" / "0").is_dir()
    found = sorted(path.name for path in (tmp_path / "tiff").iterdir())
    assert found == sorted([*(f"{name}.ome.tif" for name in names), "provenance.json"])
    with open_result(tmp_path / "out.ome.zarr") as result:
        fused = result.fused.compute()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "tiff" / "fused.ome.tif"), fused)


def test_several_files_are_one_stack_in_their_order(tmp_path: Path) -> None:
    array = textured((4, 40, 50), "uint8")
    paths = [tmp_path / name for name in ("d.tif", "a.tif", "c.tif", "b.tif")]
    for path, plane in zip(paths, array, strict=True):
        tifffile.imwrite(path, plane)
    out = tmp_path / "out"
    assert main(["fuse", *map(str, paths), "-o", str(out), "--quiet"]) == 0
    with open_result(out) as result, read_stack(paths) as stack:
        order = [paths.index(path) for path in paths]
        planes = stack.data[0, 0].compute()
        assert sorted(map(bytes, planes)) == sorted(map(bytes, array[order]))
        index = result.focus_index.compute()
        expected = np.take_along_axis(planes, index[None].astype(np.intp), 0)[0]
        np.testing.assert_array_equal(result.fused.compute(), expected)


def test_the_summary_says_what_was_done(source: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    engine = ["--engine", "laplacian-energy"]
    assert main(["fuse", str(source), "-o", str(out), "--projections", *engine]) == 0
    printed = capsys.readouterr()
    first, second = printed.out.splitlines()
    assert first.startswith(
        "stack.ome.tif: 4 slices of 70×60 fused with laplacian-energy on cpu in "
    )
    assert second == (
        f"{out}: fused, focus_index, depth, confidence, depth_unrefined, max_projection; "
        "depth in µm"
    )
    assert printed.err == ""


def test_depth_in_slices_is_said(tmp_path: Path, capsys: Any) -> None:
    source = tmp_path / "stack.tif"
    tifffile.imwrite(source, textured((3, 20, 20)), ome=True, metadata={"axes": "ZYX"})
    assert main(["fuse", str(source), "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.rstrip().endswith("depth in slices, their step is unknown")


def test_json_is_all_that_is_printed(source: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    assert main(["fuse", str(source), "-o", str(out), "--json", "--time", "0"]) == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert printed.err == ""
    assert summary["output"] == str(out)
    assert summary["images"]["fused"] == [2, 60, 70]
    assert summary["depth_unit"] == "µm"
    assert summary["provenance"] == read_provenance(out)


def test_what_a_killed_run_left_is_named_and_kept(
    source: Path, tmp_path: Path, capsys: Any
) -> None:
    left = tmp_path / ".old.ome.zarr.partial-999999999-deadbeef"
    left.mkdir()
    assert main(["fuse", str(source), "-o", str(tmp_path / "out.ome.zarr"), "--quiet"]) == 0
    assert f"{left}: left by a run that was killed" in capsys.readouterr().err
    assert left.is_dir()


def test_quiet_prints_warnings_only(tmp_path: Path, capsys: Any) -> None:
    source = tmp_path / "stack.tif"
    tifffile.imwrite(source, textured((3, 20, 20)), photometric="minisblack", metadata=None)
    assert main(["fuse", str(source), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("napari-gmff: warning: ")


@pytest.mark.parametrize(
    ("name", "spoil", "warning"),
    [
        ("one slice", lambda a: a[:1], "only one slice: there is nothing to choose from"),
        ("nan", lambda a: np.where(a > 0.999, np.nan, a), "NaN or infinite"),
        ("inf", lambda a: np.where(a > 0.999, np.inf, a), "NaN or infinite"),
        ("constant", lambda a: a * [[[1]], [[0]], [[1]]], "nothing to focus on: 1"),
    ],
)
def test_odd_data_are_fused_with_a_warning(
    tmp_path: Path, capsys: Any, name: str, spoil: Any, warning: str
) -> None:
    source, out = tmp_path / f"{name}.ome.tif", tmp_path / "out"
    rng = np.random.default_rng(0)
    array = spoil(rng.random((3, 50, 60), np.float32)).astype(np.float32)
    tifffile.imwrite(source, array, ome=True, metadata={"axes": "ZYX"})
    assert main(["fuse", str(source), "-o", str(out), "--quiet"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("napari-gmff: warning: ")
    assert line.endswith(warning) or warning in line
    with open_result(out) as result:
        assert np.isfinite(result.fused.compute()).all()


def test_an_existing_output_is_replaced_only_when_told_to(
    source: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "out"
    run(source, out)
    before = (out / "zarr.json").read_bytes()
    assert main(["fuse", str(source), "-o", str(out)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert (out / "zarr.json").read_bytes() == before
    run(source, out, "--overwrite", "--channel", "1")
    assert read_provenance(out)["parameters"]["channel"] == 1


def test_the_program_fuses_as_an_own_process(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "napari_gmff", "fuse", str(source), "-o", "out.ome.zarr"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.ome.zarr", "stack.ome.tif"]


@pytest.fixture
def corrections(source: Path, tmp_path: Path) -> Path:
    """Return a file of corrections of the whole source."""
    from napari_gmff.corrections import Corrections

    labels = np.zeros((2, 60, 70), np.uint8)
    labels[1, 10:20, 10:40] = 4
    with read_stack(source) as stack, fuse(stack, engine="laplacian-energy") as result:
        return Corrections.of(result, labels).save(tmp_path / "by-hand.npz")


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_corrections_are_applied_before_anything_is_written(
    source: Path, corrections: Path, tmp_path: Path, format: str
) -> None:
    flags = ["--corrections", str(corrections), "--engine", "laplacian-energy", "--format", format]
    record = run(source, tmp_path / "out", *flags)
    assert record["corrections"]["by_slice"] == {"3": 300}
    if format == "ome-zarr":
        index = open_result(tmp_path / "out").focus_index
    else:
        index = tifffile.imread(tmp_path / "out" / "focus_index.ome.tif")
    assert (np.asarray(index[1, 10:20, 10:40]) == 3).all()


def test_corrected_pixels_are_told(
    source: Path, corrections: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fuse", str(source), "-o", str(tmp_path / "out"), "--engine", "laplacian-energy"]
    assert main([*arguments, "--corrections", str(corrections)]) == 0
    assert "300 pixels corrected" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["missing", "stack", "region"])
def test_corrections_that_do_not_fit_leave_no_output(
    source: Path,
    corrections: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    wrong: str,
) -> None:
    flags = ["--engine", "laplacian-energy", "--corrections", str(corrections)]
    if wrong == "missing":
        corrections.unlink()
    elif wrong == "stack":
        tifffile.imwrite(source, textured((2, 4, 60, 70), seed=5), metadata={"axes": "TZYX"})
    else:
        flags += ["--region", "0:50,0:60"]
    assert main(["fuse", str(source), "-o", str(tmp_path / "out"), *flags]) == 2
    told = capsys.readouterr().err
    expected = {"missing": "by-hand.npz", "stack": "made for the stack", "region": "0:50,0:60"}
    assert expected[wrong] in told
    assert not (tmp_path / "out").exists()
