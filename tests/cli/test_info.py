"""`napari-gmff info`: what a source holds, told from its headers, and what fusing would do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_gmff.cli.main import main
from tests.reading.test_positions import pixels, write_plate
from tests.stacks import textured

CLASSICAL = ("--engine", "laplacian-energy")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "stack.ome.tif"
    data = textured((2, 2, 4, 96, 128))
    options = {"photometric": "minisblack", "tile": (32, 64), "compression": "zlib"}
    metadata = {
        "axes": "TCZYX",
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, -16776961]},
        "PhysicalSizeX": 250,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeZ": 2.0,
    }
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(data, subifds=1, metadata=metadata, **options)
        writer.write(data[..., ::2, ::2], subfiletype=1, **options)
    return path


def told(capsys: Any, *argv: str | Path) -> dict[str, str]:
    """Run the command; return its lines by their title, and the name under ``name``."""
    assert main(["info", *map(str, argv)]) == 0
    name, *lines = capsys.readouterr().out.splitlines()
    return {"name": name} | {line[2:15].strip(): line[16:] for line in lines}


def told_as_json(capsys: Any, *argv: str | Path) -> dict[str, Any]:
    assert main(["info", *map(str, argv), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_everything_in_the_headers_is_told(source: Path, capsys: Any) -> None:
    lines = told(capsys, source, "--no-estimate", *CLASSICAL)
    assert lines["name"] == "stack.ome.tif"
    assert lines["kind"].startswith("OME-TIFF, ")
    assert lines["stored as"] == "tiles of 64×32 px, compression adobe_deflate"
    assert lines["axes"] == "T 2 · C 2 · Z 4 · Y 96 · X 128, uint16"
    assert lines["voxel size"] == "z 2, y unknown, x 0.25 µm"
    assert lines["slices"] == "4 from 0 to 6 µm, 2 µm step"
    assert lines["channels"] == "DAPI (#0000FF), GFP (#FF0000)"
    assert lines["pyramid"] == "128×96, 64×48"
    assert lines["windows"] == "1 of at most 128×96 px for each of 2 time points"
    assert lines["writes"].startswith("fused (uint16), focus_index (uint8), depth (float32)")
    assert "time" not in lines


def test_the_json_holds_the_same_in_numbers(source: Path, capsys: Any) -> None:
    found = told_as_json(capsys, source, *CLASSICAL)
    assert found["shape"] == [2, 2, 4, 96, 128]
    assert found["voxel_size_um"] == [2.0, None, 0.25]
    assert found["z_um"] == [0, 2, 4, 6]
    assert found["channels"][1] == {"name": "GFP", "color": "FF0000"}
    assert found["storage"]["files"] == [str(source)]
    assert 0 < found["storage"]["bytes"] <= source.stat().st_size
    assert found["storage"]["chunk_yx"] == [32, 64]
    assert found["fusion"]["images"]["fused"] == {"shape": [2, 2, 96, 128], "dtype": "uint16"}
    assert 0 < found["fusion"]["seconds_about"] < 60


def test_flags_change_what_is_told_of_fusing(source: Path, capsys: Any) -> None:
    flags = ("--time", "1", "--region", "0:50,0:60", "--projections")
    fusion = told_as_json(capsys, source, *CLASSICAL, "--no-estimate", *flags)["fusion"]
    assert fusion["times"] == 1
    assert fusion["images"]["max_projection"]["shape"] == [2, 50, 60]
    assert fusion["seconds_about"] is None


def test_no_pixel_is_read_without_an_estimate(source: Path, capsys: Any) -> None:
    with tifffile.TiffFile(source) as tiff:
        pages = [page for level in tiff.series[0].levels for page in level.pages]
        places = [
            place
            for page in pages
            for place in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
    data = bytearray(source.read_bytes())
    for offset, count in places:
        data[offset : offset + count] = bytes(count)
    source.write_bytes(data)
    assert told(capsys, source, "--no-estimate", *CLASSICAL)["kind"].startswith("OME-TIFF")
    assert main(["info", str(source), *CLASSICAL]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert "stack.ome.tif" in line


def test_positions_are_listed_and_one_is_described(tmp_path: Path, capsys: Any) -> None:
    fields = {well: [pixels(3, 8, 8)] for well in ("A/1", "A/2", "B/1")}
    plate = write_plate(tmp_path / "p.zarr", fields)
    lines = told(capsys, plate, *CLASSICAL)
    assert lines["positions"] == "3: A/1, A/2, B/1"
    assert "for each of 3 positions" in lines["time"]
    assert lines["kind"].startswith("OME-Zarr 0.5, ")
    one = told(capsys, plate, "--position", "B/1", *CLASSICAL)
    assert one["name"] == "p.zarr B_1"
    assert "positions:" not in one["time"]


@pytest.mark.parametrize(
    ("options", "told_as"),
    [
        ({}, "whole slices of 30×20 px, compression none"),
        ({"rowsperstrip": 4}, "strips of 30×4 px, compression none"),
        ({"compression": "lzw"}, "whole slices of 30×20 px, compression lzw"),
    ],
)
def test_strips_and_codecs_of_tiff_are_named(
    tmp_path: Path, capsys: Any, options: dict, told_as: str
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(3, 20, 30), photometric="minisblack", metadata=None, **options)
    assert told(capsys, path, "--no-estimate")["stored as"] == told_as


def test_shards_and_codecs_of_zarr_are_named(tmp_path: Path, capsys: Any) -> None:
    zarr.create_array(
        tmp_path / "a.zarr",
        shape=(4, 64, 64),
        dtype="uint16",
        chunks=(1, 16, 32),
        shards=(1, 32, 64),
        compressors=zarr.codecs.BloscCodec(cname="lz4"),
    )
    lines = told(capsys, tmp_path / "a.zarr", "--axes", "ZYX", "--no-estimate")
    assert lines["stored as"] == "chunks in shards of 64×32 of 32×16 px, compression blosc (lz4)"


def test_what_stops_a_stack_from_being_fused_is_told(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, np.zeros((5, 20, 30), "u2"), ome=True, metadata={"axes": "TYX"})
    lines = told(capsys, path)
    assert "only 1 slice" in lines["cannot fuse"]
    assert "windows" not in lines


@pytest.mark.parametrize("damage", ["cut", "text", "missing"])
def test_a_source_that_cannot_be_read_is_one_sentence(
    source: Path, capsys: Any, damage: str
) -> None:
    if damage == "cut":
        source.write_bytes(source.read_bytes()[:5000])
    elif damage == "text":
        source.write_text("no image")
    else:
        source.unlink()
    for flags in ((), ("--json",)):
        assert main(["info", str(source), *flags]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        assert line.startswith("napari-gmff: ")
        assert "stack.ome.tif" in line


def test_headers_are_told_without_loading_torch(source: Path) -> None:
    program = (
        "import sys; from napari_gmff.cli.main import main;"
        "code = main(['info', sys.argv[1], '--no-estimate']);"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(source)], timeout=60)
    assert done.returncode == 0
