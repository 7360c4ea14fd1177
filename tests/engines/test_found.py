"""Engines of other packages: a real package, installed as pip does, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.engines.packages import install
from tests.stacks import textured

BRIGHTEST = """
import numpy as np

from napari_gmff.engines.base import whole
from napari_gmff.scores import ScoreKind, TileScores


class Brightest:
    name = "brightest"
    title = "Takes the brightest slice"
    method = "brightness"
    references = ("Doe J. A paper. 2020.",)
    score_kind = ScoreKind.LOG_ENERGY
    reach_px = 0
    notes = ()

    def __init__(self, options):
        pass

    def input_rule(self, dtype):
        return "dtype"

    def smoothing_rule(self):
        return "none"

    def n_steps(self, n_slices, shape_yx):
        return n_slices

    @staticmethod
    def work_ns(n_slices, shape_yx):
        return 5.0 * n_slices * shape_yx[0] * shape_yx[1]

    def iter_scores(self, read_slice, n_slices, shape_yx, *, within=None):
        for k in range(n_slices):
            yield TileScores(k, whole(shape_yx), read_slice(k).copy())

    def describe(self):
        return {"device": "cpu"}


class Fails(Brightest):
    name = "fails"

    def iter_scores(self, *_, **__):
        raise KeyError("no such thing")
        yield


class NotMade(Brightest):
    name = "not-made"

    def __init__(self, options):
        raise ValueError("no licence key")


class Lacks:
    name = "lacks"
    title = "Has no methods"


class Blends(Brightest):
    name = "blends"
    preserves_pixels = False

    def iter_blend(self, source):
        total = 0
        for k in range(source.n_slices):
            source.seen(k)
            total = total + source.pixels(k)
            yield
        return (total / source.n_slices).astype(np.float32)


class Lies(Blends):
    name = "lies"
    preserves_pixels = True
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder of installed packages: one that works, and what others may do wrong."""
    folder = tmp_path / "site"
    folder.mkdir()
    names = ("Brightest", "Fails", "Lacks", "Blends", "Lies", "Renamed", "NotMade")
    rows = [f"{name.lower()} = acme_focus:{name}" for name in names]
    rows[-2:] = ["renamed = acme_focus:Brightest", "not-made = acme_focus:NotMade"]
    install(folder, "acme-focus", "1.2", {"acme_focus": BRIGHTEST}, *rows)
    install(
        folder,
        "broken-focus",
        "0.1",
        {"broken_focus": "import a_module_that_is_not_there\n", "leaves": "raise SystemExit(3)"},
        "broken = broken_focus:Engine",
        "leaves = leaves:Engine",
        "tenengrad = broken_focus:Engine",
        "Not_A_Name = acme_focus:Brightest",
    )
    for number in (1, 2):
        install(folder, f"twin-{number}", "3", {}, "twin = acme_focus:Brightest")
    return folder


def run(site: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).resolve().parents[2] / "src"
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "napari_gmff", *argv],
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{source}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path, textured((4, 40, 50)), metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    return path


def test_an_installed_engine_is_listed_and_broken_ones_are_named(site: Path):
    done = run(site, "engines", "--json")
    assert done.returncode == 0, done.stderr
    listed = {(one["name"], one["package"]): one for one in json.loads(done.stdout)["engines"]}
    good = listed["brightest", "acme-focus 1.2"]
    assert good["title"] == "Takes the brightest slice"
    assert good["references"] == ["Doe J. A paper. 2020."]
    assert good["preserves_pixels"] is True
    assert not good["problem"]
    assert listed["blends", "acme-focus 1.2"]["preserves_pixels"] is False
    assert listed["tenengrad", ""]["title"].startswith("Tenengrad")
    problems = {name: one["problem"] for (name, package), one in listed.items() if package}
    assert "a_module_that_is_not_there" in problems["broken"]
    assert "SystemExit" in problems["leaves"]
    assert "name of an engine of napari-gmff" in problems["tenengrad"]
    assert "letters a-z" in problems["Not_A_Name"]
    assert "neither is used" in problems["twin"]
    assert "lacks method" in problems["lacks"]
    assert "got 'brightest'" in problems["renamed"]
    assert "preserves_pixels must be False" in problems["lies"]


def test_the_list_for_people_shows_what_works_and_warns_of_the_rest(site: Path):
    done = run(site, "engines")
    assert done.returncode == 0
    assert "brightest\n  Takes the brightest slice\n" in done.stdout
    assert "from the package acme-focus 1.2" in done.stdout
    assert done.stderr.count("warning: left out:") == 9
    assert "Traceback" not in done.stderr


def test_an_installed_engine_fuses_and_the_record_names_its_package(
    site: Path, source: Path, tmp_path: Path
):
    done = run(site, "fuse", str(source), "-o", str(tmp_path / "out"), "--engine", "brightest")
    assert done.returncode == 0, done.stderr
    from napari_gmff import methods_text, open_result

    result = open_result(tmp_path / "out")
    np.testing.assert_array_equal(result.fused.compute(), tifffile.imread(source).max(0))
    assert result.provenance["engine_package"] == "acme-focus 1.2"
    assert "(engine brightest of acme-focus 1.2)" in methods_text(result.provenance)


def test_an_installed_blend_computes_pixels(site: Path, source: Path, tmp_path: Path):
    done = run(site, "fuse", str(source), "-o", str(tmp_path / "out"), "--engine", "blends")
    assert done.returncode == 0, done.stderr
    assert "fused; pixels are computed, not copied" in done.stdout
    from napari_gmff import open_result

    mean = np.rint(tifffile.imread(source).astype(np.float64).mean(0))
    assert np.abs(open_result(tmp_path / "out").fused.compute() - mean).max() <= 1


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("broken", "broken of the package broken-focus 0.1 cannot be loaded"),
        ("fails", "engine fails of the package acme-focus 1.2 failed (KeyError: 'no such thing')"),
        ("not-made", "acme-focus 1.2 cannot be made (ValueError: no licence key)"),
    ],
)
def test_a_broken_engine_ends_a_run_with_one_sentence_and_no_output(
    site: Path, source: Path, tmp_path: Path, engine: str, words: str
):
    out = tmp_path / "out"
    done = run(site, "fuse", str(source), "-o", str(out), "--engine", engine, "--quiet")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_engines_of_others_disturb_no_run_of_ours(site: Path, source: Path, tmp_path: Path):
    out = tmp_path / "out"
    done = run(site, "fuse", str(source), "-o", str(out), "--engine", "tenengrad", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    from napari_gmff import open_result

    assert open_result(out).provenance["engine_package"] is None
