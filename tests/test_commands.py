from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff import FuseParams, fuse, open_result, read_stack
from napari_gmff.cli.fuse import add_fuse_parser
from napari_gmff.cli.main import main
from napari_gmff.cli.parameter_flags import run_params, with_negative_values
from napari_gmff.commands import PLACEHOLDER, as_command_line, as_python
from napari_gmff.errors import ParameterError
from tests.stacks import textured

PARAMS = FuseParams(
    engine="laplacian-energy",
    region=((8, 120), (4, 130)),
    z_range=(1, 4),
    input_range=(-5.0, 60000.0),
    input_sigma_px=0.5,
    channel="ch 1",
    block_px=128,
    halo_px=32,
    projections=True,
)
READ_OPTIONS = {"series": 0, "axes": "CZYX", "voxel_size_um": (0.5, None, 0.1)}


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Return a two-channel stack in a file whose name needs quotes."""
    path = tmp_path / "it's a stack.ome.tif"
    metadata = {"axes": "CZYX", "Channel": {"Name": ["ch 0", "ch 1"]}}
    tifffile.imwrite(path, textured((2, 5, 140, 150)), metadata=metadata)
    return str(path)


@pytest.fixture
def expected(source: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return record and images of the run that the texts are to repeat."""
    with read_stack(source, **READ_OPTIONS) as stack, fuse(stack, params=PARAMS) as result:
        images = {name: result.image(name).compute() for name in result.images}
        return result.provenance, images


def assert_repeats(found: Path, expected: tuple[dict[str, Any], dict[str, np.ndarray]]) -> None:
    provenance, images = expected
    with open_result(found) as result:
        for key in ("source", "slices", "inputs", "engine"):
            assert result.provenance[key] == provenance[key]
        # A run of the command line also records how the source was read.
        assert result.provenance["parameters"].items() >= provenance["parameters"].items()
        assert list(result.images) == list(images)
        for name, image in images.items():
            np.testing.assert_array_equal(result.image(name).compute(), image, strict=True)


def test_the_script_repeats_the_run(source: str, expected: Any, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(as_python(source, PARAMS, READ_OPTIONS), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_repeats(tmp_path / "it's a stack-fused.ome.zarr", expected)


def test_the_command_line_repeats_the_run(
    source: str, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = as_command_line(source, PARAMS, READ_OPTIONS, for_windows=False)
    program, *arguments = shlex.split(line)
    assert program == "napari-gmff"
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--quiet"]) == 0
    assert_repeats(tmp_path / "it's a stack-fused.ome.zarr", expected)


@pytest.mark.parametrize(
    "options",
    [
        {"time": (3, 5)},
        {"input_range": "dtype", "slice_order": "unordered"},
        {"weights": "authors", "device": "cuda:1", "threads": 3},
        {"channel": 2, "depth_min_confidence": 0.25, "memory_limit_mb": 300},
        {"channel": "-green", "block_px": 512, "halo_px": 96},
    ],
)
def test_the_flags_read_back_as_the_same_parameters(options: dict[str, Any]) -> None:
    params = FuseParams.model_validate(options)
    words = shlex.split(as_command_line("a.tif", params, for_windows=False))
    parser = argparse.ArgumentParser()
    add_fuse_parser(parser.add_subparsers())
    args = parser.parse_args(with_negative_values(words[1:]))
    found = run_params(args).model_dump(include=set(FuseParams.model_fields))
    assert found == params.model_dump()


def test_only_what_differs_from_the_defaults_is_said() -> None:
    assert as_command_line("a.tif", FuseParams(), for_windows=False) == (
        "napari-gmff fuse a.tif --output a-fused.ome.zarr"
    )
    assert as_python("a.tif", FuseParams(), {"axes": None}) == (
        "import napari_gmff\n"
        "\n"
        'source = "a.tif"\n'
        "\n"
        "with napari_gmff.read_stack(source) as stack:\n"
        '    with napari_gmff.fuse(stack, output="a-fused.ome.zarr") as result:\n'
        '        print("fused into", result.store_path)\n'
    )


def test_pixels_without_a_file_leave_a_gap_with_a_comment() -> None:
    script = as_python(None, FuseParams(), {"axes": "ZYX"})
    compile(script, "run.py", "exec")
    assert f'source = "{PLACEHOLDER}"' in script
    assert "# These pixels came from no file" in script
    comment, line = as_command_line(None, FuseParams()).splitlines()
    assert comment.startswith("# These pixels came from no file")
    assert shlex.split(line)[2] == PLACEHOLDER


def test_a_list_of_images_is_a_list_in_the_script_and_words_in_the_shell() -> None:
    images = ["slices/a 1.png", "slices/a 2.png"]
    assert 'source = [\n    "slices/a 1.png",\n' in as_python(images, FuseParams())
    words = shlex.split(as_command_line(images, FuseParams(), for_windows=False))
    assert words[2:] == [*images, "--output", "slices-fused.ome.zarr"]
    with pytest.raises(ParameterError, match="at least one file"):
        as_python([], FuseParams())


def test_the_output_is_named_by_the_caller_if_wanted() -> None:
    assert 'output="my result"' in as_python("a.tif", FuseParams(), output="my result")
    assert "--output 'my result'" in as_command_line(
        "a.tif", FuseParams(), output="my result", for_windows=False
    )


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("data/x.OME.TIFF", "x-fused.ome.zarr"),
        ("data/x.companion.ome", "x-fused.ome.zarr"),
        ("data/x.ome.zarr", "x-fused.ome.zarr"),
        ("data/slices", "slices-fused.ome.zarr"),
        ("data/*.png", "stack-fused.ome.zarr"),
        ("/", "stack-fused.ome.zarr"),
    ],
)
def test_the_output_is_named_after_the_source(source: str, output: str) -> None:
    assert f'output="{output}"' in as_python(source, FuseParams())


def test_a_name_that_starts_with_a_minus_sign_is_no_flag() -> None:
    words = shlex.split(as_command_line("-x.tif", FuseParams(), for_windows=False))
    assert words[2:] == ["./-x.tif", "--output", "./-x-fused.ome.zarr"]


def test_windows_gets_its_own_quotes() -> None:
    line = as_command_line("C:\\my data\\x.tif", FuseParams(), for_windows=True)
    assert line.startswith('napari-gmff fuse "C:\\my data\\x.tif" --output')


def test_an_option_that_reading_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="scene"):
        as_python("a.tif", FuseParams(), {"scene": 3})
