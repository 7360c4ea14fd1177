"""The main job works with the base dependencies alone; run in the tox environment `core`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distribution, entry_points
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

NOT_OF_THE_CORE = (
    "diffusers",
    "hypothesis",
    "magicgui",
    "napari",
    "npe2",
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "qtpy",
    "superqt",
    "yaozarrs",
)

NOT_LOADED = (*NOT_OF_THE_CORE, "matplotlib")
"""What a fusion must not import; matplotlib is installed, for those who draw."""


def small_stack() -> np.ndarray:
    """Return a (3, 96, 128) uint16 stack: slice k is sharp in the k-th third of the width."""
    rng = np.random.default_rng(3)
    texture = rng.integers(500, 60_000, (96, 128), dtype=np.uint16)
    stack = np.full((3, 96, 128), 30_000, np.uint16)
    for index, columns in enumerate(np.array_split(np.arange(128), 3)):
        stack[index][:, columns] = texture[:, columns]
    return stack


@pytest.mark.skipif(
    os.environ.get("NAPARI_GMFF_CORE_ONLY") != "1",
    reason="only the tox environment 'core' promises that nothing else is installed",
)
def test_nothing_but_the_core_is_installed():
    assert [name for name in NOT_OF_THE_CORE if find_spec(name) is not None] == []


def test_command_fuses_a_stack_and_names_no_module_outside_the_core(tmp_path: Path):
    import tifffile

    source, out = tmp_path / "stack.tif", tmp_path / "fused.ome.zarr"
    tifffile.imwrite(source, small_stack(), imagej=True, metadata={"axes": "ZYX"})
    program = (
        "import sys; from napari_gmff.cli.main import main;"
        f"code = main(['fuse', {str(source)!r}, '-o', {str(out)!r}, '--quiet']);"
        f"print('extra:', *[name for name in {NOT_LOADED!r} if name in sys.modules]);"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["extra:"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fused.ome.zarr", "stack.tif"]


def test_library_fuses_an_array_into_pixels_of_that_array():
    import napari_gmff

    stack = small_stack()
    with napari_gmff.fuse(napari_gmff.read_stack(stack, axes="ZYX")) as result:
        fused = result.fused.compute()
        index = result.focus_index.compute()
    expected = np.take_along_axis(stack, index[None].astype(np.intp), axis=0)[0]
    np.testing.assert_array_equal(fused.reshape(expected.shape), expected)
    assert fused.dtype == stack.dtype
    middle_of_thirds = index[:, [21, 64, 107]]
    assert (middle_of_thirds == [0, 1, 2]).mean() > 0.95


def test_manifest_entry_point_names_a_file_of_the_installed_package():
    (entry,) = (
        entry for entry in entry_points(group="napari.manifest") if entry.dist.name == "napari-gmff"
    )
    assert entry.value == "napari_gmff:napari.yaml"
    spec = find_spec(entry.module)
    assert spec is not None
    assert (Path(spec.origin).parent / entry.attr).is_file()


def test_no_base_dependency_is_a_gui_toolkit_or_has_an_upper_bound_on_torch():
    base = [line for line in distribution("napari-gmff").requires or [] if "extra ==" not in line]
    names = {line.split(">")[0].split("[")[0].strip().lower() for line in base}
    assert names.isdisjoint({"napari", "magicgui", "qtpy", "pyqt5", "pyqt6", "pyside6"})
    (torch,) = (line for line in base if line.startswith("torch"))
    assert torch.startswith("torch>=")
    assert "," not in torch
