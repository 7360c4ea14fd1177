"""Damaged files of every format: they work, or are refused in one sentence, and nothing is left.

``python -m tests.fuzz.damage_all`` tries as many as you like.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_gmff import results
from napari_gmff.cli.main import main
from tests.fuzz import try_source as trying
from tests.fuzz.child import Child
from tests.fuzz.mutations import damaged
from tests.fuzz.seeds import WRITERS, seed, write_files

N_EACH = int(os.environ.get("NAPARI_GMFF_FUZZ_COUNT", "10"))
"""Damaged sources of each format."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux counts it"
)


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as one:
        yield one


@pytest.mark.parametrize("format", WRITERS)
def test_a_seed_is_a_healthy_source(format: str, tmp_path: Path) -> None:
    opened, files = seed(format)
    write_files(tmp_path / "in", files)
    if format == "result":
        assert main(["methods", str(tmp_path / "in" / opened)]) == 0
        return
    out = tmp_path / "out.ome.zarr"
    argv = ["fuse", str(tmp_path / "in" / opened), "-o", str(out), "--quiet"]
    assert main([*argv, "--engine", "laplacian-energy"]) == 0
    inside = [out] if format != "zarr-groups" else sorted(out.iterdir())
    assert [results.open_result(one).fused.shape[-2:] for one in inside]


@pytest.mark.parametrize("format", WRITERS)
def test_a_damaged_source_works_or_is_refused_in_a_sentence(format: str, child: Child) -> None:
    opened, files = seed(format)
    for number in range(N_EACH):
        changed, done = damaged(files, number)
        assert child.try_files(opened, changed) is None, f"{format} {number} ({done})"


def test_the_same_seed_makes_the_same_damage() -> None:
    _, files = seed("ome-tiff")
    assert damaged(files, 5) == damaged(files, 5)
    assert damaged(files, 5) != damaged(files, 6)
    assert damaged(files, 5)[0] != files


def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: object) -> str:
    """Return which rule is broken by a program that does this instead of `fuse`."""
    opened, files = seed("imagej")
    write_files(tmp_path, files)
    monkeypatch.setattr(trying, "main", lambda argv: act(argv) if argv[0] == "fuse" else 0)
    found = trying.try_source(tmp_path / opened)
    return "" if found is None else found.rule


def test_every_rule_can_be_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys
    import time

    def says(text: str, code: int = 2) -> int:
        print(text, file=sys.stderr)
        return code

    def leaves(argv: list[str]) -> int:
        Path(argv[3]).with_name(".hidden").touch()
        return says("napari-gmff: a.tif: damaged")

    def grows(_: list[str]) -> int:
        return len(b"\x01" * (2 * trying.MEMORY_LIMIT_BYTES)) and 0

    monkeypatch.setattr(trying, "TIME_LIMIT_S", 3)
    monkeypatch.setattr(trying, "MEMORY_LIMIT_BYTES", 2**26)
    rules = {
        "": lambda _: says("napari-gmff: a.tif: damaged"),
        "exit code": lambda _: 1,
        "lines on stderr": lambda _: 2,
        "not a sentence": lambda _: says("Traceback (most recent call last)"),
        "traceback": lambda _: [][0],
        "leftovers": leaves,
        "memory": grows,
        "hang": lambda _: time.sleep(60),
    }
    for rule, act in rules.items():
        assert broken(monkeypatch, tmp_path, act) == rule


def test_a_process_that_dies_is_a_finding_and_is_replaced(child: Child) -> None:
    opened, files = seed("imagej")
    assert child.try_files(opened, files) is None
    assert child._process is not None
    child._process.kill()
    found = child.try_files(opened, files)
    assert found is not None
    assert found.rule == "crash"
    assert child.try_files(opened, files) is None
