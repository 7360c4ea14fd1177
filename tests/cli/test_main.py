"""The program's own face: help, version and what it imports for them."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from napari_gmff import __version__
from napari_gmff.cli.main import main
from napari_gmff.cli.parameter_flags import with_negative_values
from napari_gmff.params import RunParams

HEAVY = ("torch", "dask", "zarr", "tifffile", "scipy", "skimage", "napari", "qtpy", "tqdm", "PIL")


@pytest.mark.parametrize(
    "argv", [["--help"], ["fuse", "--help"], ["demo", "--help"], ["--version"], ["fuse"]]
)
def test_help_and_wrong_arguments_import_nothing_heavy(argv: list[str]) -> None:
    program = (
        "import sys\nfrom napari_gmff.cli.main import main\n"
        f"try:\n    main({argv!r})\nexcept SystemExit:\n    pass\n"
        f"print('heavy:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_help_of_fuse_names_every_parameter_and_its_default(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as stopped:
        main(["fuse", "--help"])
    assert stopped.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, field in RunParams.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        if field.default not in (None, False):
            assert f"[{field.default}]" in text
    for flag in ("--format", "--overwrite", "--quiet", "--json", "--params", "-o OUT"):
        assert flag in text


def test_version_is_that_of_the_package(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"napari-gmff {__version__}\n"


def test_negative_values_are_told_from_flags() -> None:
    argv = ["fuse", "a.tif", "--input-range", "-100:200", "-o", "-5", "--quiet", "--json"]
    assert with_negative_values(argv) == [
        *("fuse", "a.tif", "--input-range=-100:200", "-o", "-5", "--quiet", "--json")
    ]


def test_quiet_and_json_exclude_each_other(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fuse", "a.tif", "-o", "b", "--quiet", "--json"])
    assert stopped.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_warning_of_a_library_is_one_line_of_ours() -> None:
    program = (
        "import warnings\nfrom napari_gmff.cli import main, methods\n"
        "methods.run_methods = lambda _: warnings.warn('the file\\nis odd') or 0\n"
        "before = warnings.formatwarning\n"
        "assert main.main(['methods', 'a.zarr']) == 0\n"
        "assert warnings.formatwarning is before"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "napari-gmff: warning: the file is odd\n"


def test_what_decoders_log_is_not_printed_besides_the_error(tmp_path: Path) -> None:
    folder = tmp_path / "slices"
    folder.mkdir()
    for number in range(2):
        data = bytearray(imagecodecs.png_encode(np.zeros((8, 9), np.uint8)))
        data[27] = 9  # a filter method that is none
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        (folder / f"{number}.png").write_bytes(data)
    command = [sys.executable, "-m", "napari_gmff", "fuse", str(folder), "-o", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "0.png: damaged PNG" in line
