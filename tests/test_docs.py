"""What the pages under docs/ tell people to type works, and what they link to is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff.cli.main import _parser
from napari_gmff.engines.found import GROUP
from tests.engines.packages import install
from tests.stacks import textured

PAGES = (
    "quick-start.md",
    "reading-the-focus-map.md",
    "correcting-the-focus-map.md",
    "measuring-heights.md",
    "inputs.md",
    "interrupted-runs.md",
    "limits.md",
    "engines.md",
    "restoration.md",
    "results.md",
)
MAX_PICTURE_BYTES = 250_000


@pytest.fixture(params=PAGES)
def page(request, repository: Path) -> Path:
    return repository / "docs" / request.param


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder_with_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a stack, and the classical engine's fusion of it."""
    from napari_gmff import fuse, read_stack

    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    tifffile.imwrite(tmp_path / "stack.ome.tif", textured((4, 160, 1000)), metadata=metadata)
    monkeypatch.chdir(tmp_path)
    with read_stack("stack.ome.tif") as stack, fuse(stack, engine="laplacian-energy") as result:
        result.save("fused.ome.zarr")
    return tmp_path


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_that_a_page_links_to_exists(page: Path):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_the_pictures_of_a_page_are_small(page: Path):
    for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).stat().st_size <= MAX_PICTURE_BYTES, link


def test_shell_examples_have_the_options_they_are_shown_with(page: Path):
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    for line in lines:
        if line.startswith("napari-gmff "):
            _parser().parse_args(shlex.split(line)[1:])


def test_the_example_of_reading_prints_confidence_and_a_curve(
    repository: Path, folder_with_stack: Path
):
    (example,) = blocks(repository / "docs" / "reading-the-focus-map.md", "python")
    first, curve = run(example).split("\n", 1)
    assert re.fullmatch(r"[\d.]+% of the pixels are below 0.3", first)
    assert len(re.findall(r"-?[\d.]+", curve)) == 4


def test_the_example_of_correcting_saves_what_it_corrected(
    repository: Path, folder_with_stack: Path
):
    from napari_gmff import load_corrections, open_result

    (example,) = blocks(repository / "docs" / "correcting-the-focus-map.md", "python")
    run(example)
    assert load_corrections("by-hand.corrections.npz").n_pixels == 30 * 40
    index = open_result("by-hand.ome.zarr").focus_index.compute()
    assert (index[10:40, 20:60] == 3).all()


def test_the_examples_of_measuring_write_a_table_and_a_mesh(
    repository: Path, folder_with_stack: Path
):
    examples = blocks(repository / "docs" / "measuring-heights.md", "python")
    length_um, _ = map(float, run("\n".join(examples)).split())
    assert length_um == pytest.approx(0.5 * 860)
    table = np.genfromtxt("profile.csv", delimiter=",", names=True)
    assert {"distance_um", "height_um", "y_px", "x_px"} <= set(table.dtype.names)
    assert Path("relief.stl").stat().st_size > 0


def test_the_example_of_an_engine_runs_once_its_package_is_installed(
    repository: Path, folder_with_stack: Path
):
    page = repository / "docs" / "engines.md"
    (code,), (rows,) = blocks(page, "python"), blocks(page, "toml")
    ((name, target),) = tomllib.loads(rows)["project"]["entry-points"][GROUP].items()
    module, _, _ = target.partition(":")
    install(folder_with_stack, "my-focus", "1.0", {module: code}, f"{name} = {target}")
    use = (
        f"import sys; sys.path.insert(0, {str(folder_with_stack)!r})\n"
        "from napari_gmff import fuse, read_stack\n"
        f"with read_stack('stack.ome.tif') as stack, fuse(stack, engine={name!r}) as result:\n"
        "    index = result.focus_index[80, 125::250].compute()\n"
        "    print(result.provenance['engine_package'], index)\n"
    )
    package, index = run(use).split("[", 1)
    assert package.split() == ["my-focus", "1.0"]
    assert re.findall(r"\d", index) == ["0", "1", "2", "3"]


def test_the_example_of_restoring_saves_what_was_changed(repository: Path, folder_with_stack: Path):
    """With a model that brightens instead of the stored one, which is gigabytes."""
    from napari_gmff import open_result

    (example,) = blocks(repository / "docs" / "restoration.md", "python")
    model = """
from napari_gmff.restoration.models import load
from napari_gmff.restoration.restorer import StepDone

class Brightens:
    facts = {"name": "brightens", "title": "Brightens", "models": []}
    device = "cpu"

    def restore(self, image, seed):
        yield StepDone(1, 1)
        return image + 0.1

load.load_restorer = lambda *_, **__: Brightens()
"""
    example = example.replace("n_seeds=4", "n_seeds=2, mask_below=0.9")
    printed = run(model + example)
    assert float(printed.split("%")[0]) > 0
    restored = open_result("restored.ome.zarr")
    inside = restored.mask.compute() > 0
    changed = restored.restored.compute() != restored.fused.compute()
    assert changed[inside].any()
    assert not changed[~inside].any()


def test_the_example_of_positions_reads_each(repository: Path, tmp_path: Path, monkeypatch):
    for name in ("Pos1", "Pos2"):
        (tmp_path / "stage" / name).mkdir(parents=True)
        for number, plane in enumerate(textured((3, 20, 20))):
            tifffile.imwrite(tmp_path / "stage" / name / f"{number}.tif", plane)
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(repository / "docs" / "inputs.md", "python")
    assert run(example) == "Pos1 3 slices\nPos2 3 slices\n"
