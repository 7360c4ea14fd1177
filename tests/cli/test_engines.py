from __future__ import annotations

import json
from typing import Any

import pytest

from napari_gmff.cli.main import main
from napari_gmff.engines.registry import built_in_names
from napari_gmff.params import BLEND_ENGINES, DEFAULT_ENGINE


def test_every_engine_is_listed_with_a_sentence_its_pixels_and_what_to_cite(capsys: Any):
    assert main(["engines"]) == 0
    listed = dict(block.split("\n", 1) for block in capsys.readouterr().out.split("\n\n"))
    assert {name.split(" ")[0] for name in listed} >= set(built_in_names())
    assert f"{DEFAULT_ENGINE} (default)" in listed
    for name in built_in_names():
        words = listed.get(name) or listed[f"{name} (default)"]
        assert "  cite: " in words
        assert ("computed, not copied" in words) == (name in BLEND_ENGINES)
        assert ("are copied from the slices" in words) == (name not in BLEND_ENGINES)


def test_the_list_as_json_has_the_same(capsys: Any):
    assert main(["engines", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["engines"]}
    assert set(listed) >= set(built_in_names())
    assert [name for name, one in listed.items() if one["is_default"]] == [DEFAULT_ENGINE]
    for name in built_in_names():
        assert listed[name]["preserves_pixels"] == (name not in BLEND_ENGINES)
        assert listed[name]["title"]
        assert listed[name]["references"]
        assert listed[name]["package"] == listed[name]["problem"] == ""


def test_a_summary_of_a_blend_says_that_pixels_are_computed(tmp_path: Any, capsys: Any):
    import tifffile

    from tests.stacks import textured

    source = tmp_path / "stack.tif"
    tifffile.imwrite(source, textured((3, 40, 50)), photometric="minisblack")
    flags = ["fuse", str(source), "-o", str(tmp_path / "out"), "--engine", "weighted-average"]
    assert main(flags) == 0
    assert "fused; pixels are computed, not copied" in capsys.readouterr().out
    assert main([*flags, "--overwrite", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["pixels_copied"], summary["depth_unit"]) == (False, None)


def test_corrections_of_a_blend_are_refused_before_anything_is_fused(
    tmp_path: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
):
    import tifffile

    from napari_gmff import Corrections, fuse, pipeline, read_stack
    from tests.stacks import textured

    source, file = tmp_path / "stack.tif", tmp_path / "by-hand.npz"
    tifffile.imwrite(source, textured((3, 40, 50)), photometric="minisblack")
    with read_stack(source) as stack, fuse(stack, engine="tenengrad") as result:
        Corrections.of(result).save(file)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was fused all the same")

    monkeypatch.setattr(pipeline, "fuse", never)
    flags = ["--engine", "weighted-average", "--corrections", str(file)]
    assert main(["fuse", str(source), "-o", str(tmp_path / "out"), *flags]) == 2
    assert "weighted-average computes pixels and chooses no slices" in capsys.readouterr().err
