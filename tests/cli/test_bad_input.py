"""Bad input: one line that names the file, the rule and the finding, code 2, and no output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff.cli.main import main
from tests.stacks import textured

STACK = textured((3, 40, 50))


def write(path: Path, array: np.ndarray = STACK, axes: str = "ZYX", **options: Any) -> Path:
    tifffile.imwrite(path, array, ome=True, metadata={"axes": axes}, **options)
    return path


def refused(capsys: Any, out: Path, *argv: str | Path, code: int = 2) -> str:
    """Run the command, and return its one line on stderr."""
    beside = sorted(path.name for path in out.parent.iterdir()) if out.parent.is_dir() else None
    try:
        found = main(["fuse", *map(str, argv), "-o", str(out)])
    except SystemExit as stopped:
        found = stopped.code
    printed = capsys.readouterr()
    assert found == code
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("napari-gmff: ")
    if beside is not None:
        assert sorted(path.name for path in out.parent.iterdir()) == beside
    return line.removeprefix("napari-gmff: ")


def truncated(path: Path) -> Path:
    data = write(path).read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def unequal_planes(folder: Path, second: np.ndarray) -> Path:
    folder.mkdir()
    tifffile.imwrite(folder / "1.tif", np.zeros((20, 30), np.uint8))
    tifffile.imwrite(folder / "2.tif", second)
    return folder


def entity_bomb(path: Path) -> Path:
    text = (
        '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&b;</OME>'
    )
    tifffile.imwrite(path, STACK, photometric="minisblack", description=text, metadata=None)
    return path


def leaving_folder(path: Path) -> Path:
    write(path)
    with tifffile.TiffFile(path) as file:
        xml = file.ome_metadata
    start = xml.index("<TiffData")
    stop = xml.index("/>", start) + 2
    data = '<TiffData IFD="0" PlaneCount="1"><UUID FileName="../../secret.tif">urn:uuid:1</UUID>'
    description = xml[:start] + data + "</TiffData>" + xml[stop:]
    tifffile.imwrite(
        path, STACK, photometric="minisblack", description=description.encode(), metadata=None
    )
    return path


def plain(path: Path, array: np.ndarray, axes: str) -> Path:
    """Write a file that, unlike OME-TIFF, does not claim a Z axis whatever happens."""
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": axes})
    return path


def text_file(path: Path) -> Path:
    path.write_text("no image at all")
    return path


SOURCES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda d: d / "nothing.tif", "nothing.tif: no such file"),
    "not an image": (lambda d: text_file(d / "text.tif"), "text.tif: not an image"),
    "truncated": (lambda d: truncated(d / "cut.tif"), "cut.tif: truncated TIFF"),
    "sizes": (
        lambda d: unequal_planes(d / "sizes", np.zeros((20, 31), np.uint8)),
        "2.tif",
    ),
    "dtypes": (
        lambda d: unequal_planes(d / "dtypes", np.zeros((20, 30), np.uint16)),
        "2.tif",
    ),
    "no z": (lambda d: plain(d / "flat.tif", STACK[0], "YX"), "flat.tif: "),
    "no z but t": (lambda d: plain(d / "movie.tif", STACK, "TYX"), "movie.tif: "),
    "bool": (lambda d: write(d / "a.tif", STACK > 0), "found bool"),
    "complex": (lambda d: write(d / "a.tif", STACK.astype("c8")), "found complex64"),
    "uint32": (lambda d: write(d / "a.tif", STACK.astype("u4")), "found uint32"),
    "float64": (lambda d: write(d / "a.tif", STACK.astype("f8")), "found float64"),
    "entities": (lambda d: entity_bomb(d / "bomb.ome.tif"), "bomb.ome.tif: "),
    "leaves folder": (lambda d: leaving_folder(d / "leave.ome.tif"), "leave.ome.tif: "),
    "remote": (lambda d: Path("unused"), "remote addresses are only read when asked for"),
}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_source_that_cannot_be_fused_is_refused_in_one_line(
    tmp_path: Path, capsys: Any, name: str
) -> None:
    make, expected = SOURCES[name]
    source = "https://example.org/a.ome.zarr" if name == "remote" else make(tmp_path)
    out = tmp_path / "results" / "out.ome.zarr"
    out.parent.mkdir()
    assert expected in refused(capsys, out, source)


FLAGS = {
    "channel number": (["--channel", "5"], "channel: good.tif has 0 (", "got 5"),
    "channel name": (["--channel", "GFP"], "channel: good.tif has 0 (", "got 'GFP'"),
    "series": (["--series", "3"], "good.tif: ", "3"),
    "region": (["--region", "0:99,0:10"], "region: ", "0:99 is outside the 40 rows of good.tif"),
    "empty region": (["--region", "9:9,0:10"], "region: ", "9:9"),
    "region form": (["--region", "9"], "region: ", "y0:y1,x0:x1"),
    "slices": (["--z-range", "1:9"], "z_range: ", "1:9 is outside the 3 slices of good.tif"),
    "time": (["--time", "1"], "time: ", "outside the 1 time points of good.tif"),
    "range": (["--input-range", "5:5"], "input_range: ", "5"),
    "range form": (["--input-range", "much"], "input_range: ", "much"),
    "engine": (["--engine", "best"], "engine: must be one of laplacian-energy", "'best'"),
    "device": (["--device", "gpu"], "device: ", "'gpu'"),
    "block": (["--block-px", "100"], "block_px: ", "100"),
    "halo": (["--halo-px", "512"], "halo_px", "512"),
    "weights and engine": (
        ["--weights", "x", "--engine", "laplacian-energy"],
        "weights: engine laplacian-energy uses none",
        "'x'",
    ),
    "weights not stored": (["--weights", "authors"], "authors-v4: no stored model", "download"),
    "axes": (["--axes", "ZZY"], "good.tif", "'ZZY'"),
    "voxel size": (["--voxel-size-um", "1,0,1"], "voxel_size_um: ", "0"),
    "unknown flag": (["--sharper"], "unrecognized arguments: --sharper", "--help"),
    "format": (["--format", "png"], "--format", "png"),
    "parameter file": (["--params", "no.json"], "no.json", "not a readable JSON"),
}


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_a_wrong_flag_is_refused_in_one_line(tmp_path: Path, capsys: Any, name: str) -> None:
    flags, rule, finding = FLAGS[name]
    source = write(tmp_path / "good.tif")
    line = refused(capsys, tmp_path / "out", source, *flags)
    assert rule in line
    assert finding in line


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        ("{", "not a readable JSON"),
        ("[1]", "must hold a JSON object, got list"),
        ('{"sharpness": 3}', "sharpness"),
        ('{"block_px": 5}', "block_px"),
    ],
)
def test_a_wrong_parameter_file_is_named(
    tmp_path: Path, capsys: Any, content: str, finding: str
) -> None:
    file = tmp_path / "run.json"
    file.write_text(content)
    line = refused(capsys, tmp_path / "out", write(tmp_path / "a.tif"), "--params", file)
    assert line.startswith(f"{file}: ")
    assert finding in line


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path, capsys: Any) -> None:
    source = write(tmp_path / "a.tif")
    file = text_file(tmp_path / "file")
    for out in (file / "out", tmp_path / "no" / "out", file):
        line = refused(capsys, out, source)
        assert line.startswith(f"{out}: ")
    assert file.read_text() == "no image at all"


def test_an_output_within_its_source_is_refused(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "slices"
    folder.mkdir()
    for number, plane in enumerate(STACK):
        tifffile.imwrite(folder / f"{number}.tif", plane)
    line = refused(capsys, folder / "out", folder)
    assert "must lie apart from the source" in line


def test_several_stacks_are_refused(tmp_path: Path, capsys: Any) -> None:
    paths = [write(tmp_path / name) for name in ("a.tif", "b.tif")]
    line = refused(capsys, tmp_path / "out", *paths)
    assert "a.tif" in line


class _Runs:
    """Would leave a mark if it were unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_weights_that_would_run_code_are_refused(tmp_path: Path, capsys: Any) -> None:
    import pickle

    import torch

    mark = tmp_path / "ran"
    bare, zipped = tmp_path / "bare.pth", tmp_path / "zipped.pth"
    bare.write_bytes(pickle.dumps(_Runs(mark)))
    torch.save({"a": _Runs(mark)}, zipped)
    source = write(tmp_path / "a.tif")
    for weights in (bare, zipped):
        line = refused(capsys, tmp_path / "out", source, "--weights", weights)
        assert str(weights) in line
    assert not mark.exists()


def test_weights_of_another_network_are_refused_by_their_keys(tmp_path: Path, capsys: Any) -> None:
    import torch

    weights = tmp_path / "other.pth"
    torch.save({"conv.weight": torch.zeros(3)}, weights)
    line = refused(capsys, tmp_path / "out", write(tmp_path / "a.tif"), "--weights", weights)
    assert str(weights) in line
    assert "missing" in line


def test_a_stored_model_that_was_changed_is_refused(tmp_path: Path, capsys: Any) -> None:
    from napari_gmff.weights.obtain import import_model
    from napari_gmff.weights.store import ModelStore
    from tests.stacks import random_weights

    store = ModelStore()
    card = import_model(random_weights(tmp_path), store, name="mine")
    (tensors,) = store.folder("mine").glob("*.safetensors")
    try:
        data = bytearray(tensors.read_bytes())
        data[-1] ^= 1
        tensors.chmod(0o644)
        tensors.write_bytes(data)
        line = refused(capsys, tmp_path / "out", write(tmp_path / "a.tif"), "--weights", "mine")
    finally:
        store.remove("mine")
    assert "mine" in line
    assert card.sha256 in line


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, format: str) -> None:
    pytest.importorskip("resource", reason="needs POSIX resource limits")
    rng = np.random.default_rng(0)
    source = write(tmp_path / "a.tif", rng.integers(0, 60_000, (3, 600, 600), np.uint16))
    temporary, results = tmp_path / "temporary", tmp_path / "results"
    temporary.mkdir()
    results.mkdir()
    program = (
        "import resource, signal, sys, tempfile; tempfile.tempdir = sys.argv[1];"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from napari_gmff.cli.main import main; sys.exit(main(sys.argv[2:]))"
    )
    flags = ["fuse", source, "-o", results / "out", "--format", format]
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, *map(str, [temporary, *flags])],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cannot be written" in line
    assert "File too large" in line
    assert str(tmp_path) in line
    assert list(results.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_a_command_is_needed(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 0, 5), (3, 4, 0)])
def test_an_array_with_an_empty_axis_is_refused(shape: tuple[int, int, int]) -> None:
    from napari_gmff import fuse, read_stack
    from napari_gmff.errors import SourceError

    with pytest.raises(SourceError, match=r"empty|length|at least 1|0"):
        fuse(read_stack(np.zeros(shape, np.uint8), axes="ZYX"))


def test_json_output_stays_empty_on_an_error(tmp_path: Path, capsys: Any) -> None:
    assert "no such file" in refused(capsys, tmp_path / "out", tmp_path / "no.tif", "--json")
