"""`napari-gmff fuse --into`: results within the OME-Zarr of their stack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_gmff import open_result
from napari_gmff.cli.main import main
from tests.stacks import textured


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return an OME-Zarr 0.5 of 4 slices."""
    root = tmp_path / "stack.ome.zarr"
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    group.create_array("0", data=textured((4, 60, 70)), dimension_names=("z", "y", "x"))
    scale = {"type": "scale", "scale": [2.0, 0.5, 0.5]}
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    multiscale = {"name": "stack", "axes": axes, "datasets": datasets}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return root


def fuse(source: Path, *flags: str) -> int:
    return main(["fuse", str(source), "--engine", "laplacian-energy", *flags])


def test_a_stack_takes_its_own_result(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuse(source, "--into", str(source), "--name", "classical", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    folder = source / "gmff" / "classical"
    assert summary["output"] == str(folder)
    assert summary["format"] == "ome-zarr"
    with open_result(folder) as result:
        assert result.provenance == summary["provenance"]
        labels = zarr.open_array(str(source / "labels/classical_focus_index/0"), mode="r")
        np.testing.assert_array_equal(labels[:], result.focus_index.compute() + 1)
    assert main(["methods", str(folder)]) == 0
    assert "laplacian" in capsys.readouterr().out.lower()


def test_corrections_come_along(source: Path, tmp_path: Path) -> None:
    from napari_gmff import Corrections

    assert fuse(source, "-o", str(tmp_path / "plain"), "--quiet") == 0
    with open_result(tmp_path / "plain") as result:
        labels = np.zeros((60, 70), np.uint8)
        labels[:5, :5] = 3
        Corrections.of(result, labels).save(tmp_path / "by-hand.npz")
    flags = ["--into", str(source), "--corrections", str(tmp_path / "by-hand.npz"), "--quiet"]
    assert fuse(source, *flags) == 0
    with open_result(source / "gmff" / "fusion") as corrected:
        assert corrected.provenance["corrections"]["n_pixels"] == 25
        assert (corrected.focus_index[:5, :5] == 2).all()
    shown = zarr.open_array(str(source / "labels/fusion_focus_index/0"), mode="r")[:5, :5]
    assert (shown == 3).all()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--format", "ome-tiff"], "--format: what is appended"),
        (["--name", "a/b"], "name: up to 100 letters"),
        (["--series", "0", "--name", "taken"], "taken: already exists"),
    ],
)
def test_what_cannot_work_stops_before_the_run(
    source: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    (source / "gmff" / "taken").mkdir(parents=True)
    assert fuse(source, "--into", str(source), *flags) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert not (source / "labels").exists()


def test_another_stack_is_refused_before_the_run(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuse(source, "--into", str(source), "--z-range", "0:2", "--quiet") == 0
    other = source.rename(tmp_path / "other.zarr")
    tifffile.imwrite(tmp_path / "s.tif", textured((5, 60, 70)), metadata={"axes": "ZYX"})
    assert fuse(tmp_path / "s.tif", "--into", str(other), "--name", "b") == 2
    assert "of 5 planes of 70×60 px; this image has 4" in capsys.readouterr().err


def test_a_name_needs_a_store(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuse(source, "-o", str(tmp_path / "out"), "--name", "mine") == 2
    assert "needs --into" in capsys.readouterr().err


def test_a_place_is_needed_and_only_one(source: Path, tmp_path: Path) -> None:
    for flags in ([], ["-o", str(tmp_path / "out"), "--into", str(source)]):
        with pytest.raises(SystemExit) as caught:
            fuse(source, *flags)
        assert caught.value.code == 2


def test_metadata_that_are_repeated_are_warned_of(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(UserWarning, match="Consolidated metadata"):
        zarr.consolidate_metadata(str(source), zarr_format=3)
    before = (source / "zarr.json").read_bytes()
    assert fuse(source, "--into", str(source)) == 0
    assert "repeats the metadata of all groups" in capsys.readouterr().err
    assert (source / "zarr.json").read_bytes() == before


def test_previews_of_what_is_appended_lie_beside_the_store(source: Path) -> None:
    assert fuse(source, "--into", str(source), "--preview", "png", "--quiet") == 0
    found = sorted(path.name for path in source.parent.glob("*.png"))
    assert found == [f"stack.fusion.{name}.png" for name in ("depth", "focus_index", "fused")]
    assert not list(source.rglob("*.png"))
