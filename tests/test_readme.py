"""What the README tells people to type does what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_gmff.cli.main import _parser
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.engines.stackmff import StackMFFV4Engine
from napari_gmff.params import DEFAULT_ENGINE
from napari_gmff.weights.shipped_models import SHIPPED_NAME

ENGINES = {engine.name: engine for engine in (LaplacianEnergy, StackMFFV4Engine)}


def blocks(readme: str, language: str) -> list[str]:
    """Return the code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)


def own_commands(readme: str) -> list[list[str]]:
    """Return the words of each command line of this package, in order."""
    lines = [line for block in blocks(readme, "shell") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("napari-gmff ")]


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder_with_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that holds the `stack.ome.tif` of the examples: 4 slices, 2 µm apart."""
    import tifffile

    rng = np.random.default_rng(1)
    stack = np.full((4, 128, 160), 100, np.uint8)
    for index, columns in enumerate(np.array_split(np.arange(160), 4)):
        stack[index][:, columns] = rng.integers(0, 255, (128, len(columns)))
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeY": 0.5,
        "PhysicalSizeZ": 2.0,
    }
    tifffile.imwrite(tmp_path / "stack.ome.tif", stack, metadata=metadata)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_example_runs_and_saves_its_result(readme: str, folder_with_stack: Path):
    (example,) = blocks(readme, "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "TCZYX (1, 1, 4, 128, 160) (2.0, 0.5, 0.5)"
    assert done.stdout.splitlines()[1].startswith("depth in µm from ")
    assert (folder_with_stack / "from-python.ome.zarr" / "fused" / "zarr.json").is_file()


def test_shell_examples_fuse_and_print_a_methods_paragraph(readme: str, folder_with_stack: Path):
    ours = [words for words in own_commands(readme) if words[1] in ("fuse", "methods")]
    assert [words[1] for words in ours] == ["fuse", "methods"]
    for words in ours:
        done = subprocess.run(
            [sys.executable, "-m", "napari_gmff", *words[1:]],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    assert ENGINES[DEFAULT_ENGINE].method in done.stdout
    assert (folder_with_stack / "fused.ome.zarr" / "zarr.json").is_file()


def test_the_other_commands_have_the_options_they_are_shown_with(readme: str):
    others = [words for words in own_commands(readme) if words[1] not in ("fuse", "methods")]
    assert {words[1] for words in others} == {
        "info",
        "train",
        "evaluate",
        "weights",
        "restore",
    }
    for words in others:
        _parser().parse_args(words[1:])  # leaves the program at an option that it does not know


@pytest.mark.usefixtures("shipped_folder")
def test_the_readme_names_the_defaults_of_a_complete_package(readme: str):
    assert f"| `{DEFAULT_ENGINE}` (default) |" in readme
    assert f"| `{SHIPPED_NAME}` (default) |" in readme


def test_the_two_set_up_commands_are_there_word_for_word(readme: str, repository: Path):
    commands = [line for block in blocks(readme, "shell") for line in block.splitlines()]
    assert "pip install -c constraints.txt . && napari-gmff demo" in commands
    assert "pip install tox && tox" in commands
    assert "pip install tox && tox" in (repository / ".ci" / "run").read_text(encoding="utf-8")


def test_every_file_that_the_readme_links_to_exists(readme: str, repository: Path):
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert links
    assert [link for link in links if not (repository / link).is_file()] == []
