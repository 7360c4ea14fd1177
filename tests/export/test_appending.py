"""Results within the OME-Zarr of their stack: what is added, and that all else stays as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_gmff import FusionResult, fuse, open_result, read_stack
from napari_gmff.errors import OutputError, ParameterError, SourceError
from napari_gmff.export import appending, label_image
from napari_gmff.export.appending import consolidated_in, place_in
from napari_gmff.provenance import read_provenance
from tests.export.conftest import largest_file
from tests.stacks import textured

VERSIONS = ("0.4", "0.5")
MakeSource = Callable[..., Path]


@pytest.fixture
def make_source(tmp_path: Path) -> MakeSource:
    """Return a function that writes a stack as another program would: its own levels and chunks."""

    def make(
        version: str = "0.5",
        shape: tuple[int, ...] = (2, 4, 90, 70),
        levels: int = 2,
        name: str = "stack.ome.zarr",
        **attributes: Any,
    ) -> Path:
        root = tmp_path / name
        format = 2 if version == "0.4" else 3
        group = zarr.open_group(str(root), mode="w", zarr_format=format)
        pixels = textured(shape)
        axes = "tczyx"[-len(shape) :]
        for level in range(levels):
            # Some programs round down; ours rounds up.
            pixels = pixels if level == 0 else pixels[..., :-1:2, :-1:2]
            options: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "."}}
            if format == 3:
                options["dimension_names"] = tuple(axes)
            chunks = (1,) * (len(shape) - 2) + (33, 40)
            array = group.create_array(
                str(level), shape=pixels.shape, chunks=chunks, dtype=pixels.dtype, **options
            )
            array[:] = pixels
        kinds = {"t": "time", "c": "channel"}
        sizes = {"z": 2.0, "y": 0.5, "x": 0.25}
        multiscale = {
            "name": "stack",
            "axes": [
                {"name": a, "type": "space", "unit": "micrometer"}
                if a in sizes
                else {"name": a, "type": kinds[a]}
                for a in axes
            ],
            "datasets": [
                {
                    "path": str(level),
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [
                            sizes.get(a, 1.0) * (2**level if a in "yx" else 1) for a in axes
                        ]}
                    ],
                }
                for level in range(levels)
            ],
        }  # fmt: skip
        if version == "0.4":
            facts = {"multiscales": [{**multiscale, "version": "0.4"}]}
        else:
            facts = {"ome": {"version": "0.5", "multiscales": [multiscale]}}
        group.attrs.update({**facts, **attributes})
        return root

    return make


def fused(source: Path, **options: Any) -> FusionResult:
    with read_stack(source) as stack:
        return fuse(stack, engine="laplacian-energy", **options)


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def labels_listed(root: Path) -> list[str]:
    if (root / "labels" / ".zattrs").is_file():
        listed: list[str] = json.loads((root / "labels" / ".zattrs").read_text())["labels"]
        return listed
    values = json.loads((root / "labels" / "zarr.json").read_text())
    listed = values["attributes"]["ome"]["labels"]
    return listed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_is_appended_and_nothing_that_was_there_changes(
    make_source: MakeSource, version: str
) -> None:
    source = make_source(version)
    before = contents(source)
    with fused(source) as result:
        folder = result.append_to(source)
        expected = {name: result.image(name).compute() for name in result.images}
    assert folder == source / "gmff" / "fusion"
    after = contents(source)
    assert {name: after[name] for name in before} == before
    with open_result(folder) as saved:
        assert saved.provenance == result.provenance
        assert saved.geometry == result.geometry
        for name, pixels in expected.items():
            np.testing.assert_array_equal(saved.image(name).compute(), pixels, strict=True)
    with read_stack(source) as stack:
        assert stack.data.shape == (1, 2, 4, 90, 70)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_store_and_its_label_are_valid_ngff_of_its_version(
    make_source: MakeSource, version: str
) -> None:
    source = make_source(version, levels=3)
    with fused(source) as result:
        result.append_to(source, name="mine")
    assert labels_listed(source) == ["mine_focus_index"]
    assert yaozarrs.validate_zarr_store(str(source)).ome_version() == version
    label = yaozarrs.validate_zarr_store(str(source / "labels" / "mine_focus_index"))
    assert label.ome_version() == version
    for name in ("fused", "depth"):
        image = yaozarrs.validate_zarr_store(str(source / "gmff" / "mine" / name))
        assert image.ome_version() == version
    marks = {path.name for path in source.rglob("*") if path.name in ("zarr.json", ".zarray")}
    assert marks == ({".zarray"} if version == "0.4" else {"zarr.json"})


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_are_slice_numbers_plus_one_and_lie_over_each_level(
    make_source: MakeSource, version: str
) -> None:
    source = make_source(version, shape=(4, 91, 71), levels=3)
    with fused(source) as result:
        result.append_to(source)
        index = result.focus_index.compute()
    group = zarr.open_group(str(source / "labels" / "fusion_focus_index"), mode="r")
    np.testing.assert_array_equal(group["0"][:], index + 1)
    image = zarr.open_group(str(source), mode="r")
    for level in "012":
        assert group[level].shape == image[level].shape[-2:]
    np.testing.assert_array_equal(group["1"][:], (index + 1)[:-1:2, :-1:2])
    facts = dict(group.attrs)
    facts = facts.get("ome", facts)
    (multiscale,) = facts["multiscales"]
    assert [axis["name"] for axis in multiscale["axes"]] == ["y", "x"]
    scales = [one["coordinateTransformations"][0]["scale"] for one in multiscale["datasets"]]
    assert scales == [[0.5, 0.25], [1.0, 0.5], [2.0, 1.0]]
    entries = facts["image-label"]["properties"]
    assert entries[2] == {"label-value": 3, "slice": 2, "z_um": 4.0}
    colors = [tuple(one["rgba"]) for one in facts["image-label"]["colors"]]
    assert len(set(colors)) == 4


def test_what_was_not_fused_has_no_label(make_source: MakeSource) -> None:
    source = make_source(shape=(3, 1, 4, 90, 70))
    with fused(source, region=((10, 60), (5, 65)), time=(1, 3)) as result:
        result.append_to(source)
        index = result.focus_index.compute()
    labels = zarr.open_array(str(source / "labels/fusion_focus_index/0"), mode="r")[:]
    expected = np.zeros((3, 90, 70), labels.dtype)
    expected[1:3, 10:60, 5:65] = index + 1
    np.testing.assert_array_equal(labels, expected)


def test_other_labels_and_attributes_stay_in_the_list(make_source: MakeSource) -> None:
    source = make_source("0.4")
    (source / "labels").mkdir()
    (source / "labels" / ".zgroup").write_text('{"zarr_format": 2}')
    (source / "labels" / ".zattrs").write_text('{"labels": ["nuclei"], "note": "mine"}')
    with fused(source) as result:
        result.append_to(source, name="one")
        result.append_to(source, name="two")
    values = json.loads((source / "labels" / ".zattrs").read_text())
    expected = ["nuclei", "one_focus_index", "two_focus_index"]
    assert values == {"labels": expected, "note": "mine"}


def test_a_name_that_exists_is_replaced_only_if_asked_and_if_it_is_ours(
    make_source: MakeSource,
) -> None:
    source = make_source()
    with fused(source) as first, fused(source, z_range=(0, 2)) as second:
        first.append_to(source)
        with pytest.raises(OutputError, match=r"fusion: already exists.*--overwrite"):
            second.append_to(source)
        second.append_to(source, overwrite=True)
        assert read_provenance(source / "gmff" / "fusion") == second.provenance
        assert labels_listed(source) == ["fusion_focus_index"]
        (source / "labels" / "nuclei_focus_index").mkdir()
        (source / "labels" / "nuclei_focus_index" / "mine.txt").write_text("keep")
        before = contents(source)
        with pytest.raises(OutputError, match="only a result of napari-gmff is replaced"):
            first.append_to(source, name="nuclei", overwrite=True)
        assert contents(source) == before


def test_one_image_of_several_is_meant_by_its_number(make_source: MakeSource) -> None:
    for number in ("0", "1"):
        make_source(name=f"all.zarr/{number}", shape=(4, 90 + int(number), 70))
    root = make_source(name="all.zarr/0").parent
    group = zarr.open_group(str(root), mode="a", zarr_format=3)
    group.attrs.update({"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
    with read_stack(root, series=1) as stack, fuse(stack, engine="laplacian-energy") as result:
        folder = result.append_to(root, series=1)
        with pytest.raises(SourceError, match="series must be below 2"):
            result.append_to(root, series=2)
    assert folder == root / "1" / "gmff" / "fusion"
    assert labels_listed(root / "1") == ["fusion_focus_index"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://host/stack.zarr", "local folders, not to addresses"),
        ("missing.zarr", "a folder that is an OME-Zarr"),
        ("array.zarr", "an OME-Zarr image"),
        ("old.zarr", "0.4 and 0.5, found 0.3"),
        ("other.zarr", "of 8 planes of 70×90 px; this image has 5 of 70×90"),
    ],
)
def test_what_cannot_take_a_result_is_refused_by_name(
    make_source: MakeSource, tmp_path: Path, monkeypatch: Any, target: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    zarr.create_array("array.zarr", shape=(4, 90, 70), dtype="u1")
    make_source(name="other.zarr", shape=(5, 90, 70))
    old = make_source("0.4", name="old.zarr")
    text = (old / ".zattrs").read_text().replace('"0.4"', '"0.3"')
    (old / ".zattrs").write_text(text)
    with fused(make_source()) as result, pytest.raises(OutputError, match=words) as caught:
        result.append_to(target)
    assert target.partition("/")[0] in str(caught.value)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "é"])
def test_a_name_that_is_no_folder_is_refused(make_source: MakeSource, name: str) -> None:
    with pytest.raises(ParameterError, match=r"^name: up to 100 letters"):
        place_in(make_source(), name=name)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_store_is_refused_before_the_run(make_source: MakeSource) -> None:
    source = make_source()
    source.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            place_in(source)
    finally:
        source.chmod(0o700)


@pytest.mark.parametrize("moment", ["write_zarr", "write_label", "list_label"])
@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_append_that_fails_leaves_the_store_as_it_was(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, moment: str, stop: BaseException
) -> None:
    source = make_source()
    before = contents(source)

    def fail(*_: object) -> None:
        raise stop

    monkeypatch.setattr(appending, moment, fail)
    expected = OutputError if isinstance(stop, OSError) else KeyboardInterrupt
    with fused(source) as result, pytest.raises(expected):
        result.append_to(source)
    assert contents(source) == before
    assert not (source / "gmff").exists()
    assert not (source / "labels").exists()


def test_a_full_disk_leaves_the_store_as_it_was(make_source: MakeSource) -> None:
    source = make_source()
    before = contents(source)
    with fused(source) as result:
        with pytest.raises(OutputError, match="File too large"), largest_file(5_000):
            result.append_to(source)
    assert contents(source) == before


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_program_killed_before_the_list_is_renewed_leaves_the_old_list(
    make_source: MakeSource,
) -> None:
    source = make_source()
    with fused(source) as result:
        result.append_to(source, name="first")
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from napari_gmff import fuse, read_stack\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with read_stack(sys.argv[1]) as stack:\n"
        "    fuse(stack, engine='laplacian-energy').append_to(sys.argv[1], name='second')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(source)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert labels_listed(source) == ["first_focus_index"]
    yaozarrs.validate_zarr_store(str(source))
    with fused(source) as result:
        result.append_to(source, name="second", overwrite=True)
    assert labels_listed(source) == ["first_focus_index", "second_focus_index"]


def test_a_list_that_cannot_be_read_is_not_replaced(make_source: MakeSource) -> None:
    source = make_source("0.4")
    (source / "labels").mkdir()
    (source / "labels" / ".zattrs").write_text("{broken")
    with fused(source) as result, pytest.raises(OutputError, match="is not readable JSON"):
        result.append_to(source)
    assert (source / "labels" / ".zattrs").read_text() == "{broken"
    assert not (source / "gmff").exists()


def test_opening_the_label_says_where_the_result_is(make_source: MakeSource) -> None:
    source = make_source()
    with fused(source) as result:
        result.append_to(source)
    with pytest.raises(SourceError, match=r"label image of a result, which is ../../gmff/fusion"):
        open_result(source / "labels" / "fusion_focus_index")


def test_metadata_that_are_repeated_elsewhere_are_found(make_source: MakeSource) -> None:
    old, new, plain = make_source("0.4", name="old"), make_source(name="new"), make_source()
    zarr.consolidate_metadata(str(old), zarr_format=2)
    with pytest.warns(UserWarning, match="Consolidated metadata"):
        zarr.consolidate_metadata(str(new), zarr_format=3)
    assert consolidated_in(place_in(old)) == old / ".zmetadata"
    assert consolidated_in(place_in(new)) == new / "zarr.json"
    assert consolidated_in(place_in(plain)) is None


def test_more_slices_than_a_byte_counts_still_have_a_label_each(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(shape=(256, 12, 14), levels=1)
    with fused(source) as result:
        assert result.images["focus_index"].dtype == np.uint8
        result.append_to(source)
        index = result.focus_index.compute().astype(int)
    labels = zarr.open_array(str(source / "labels/fusion_focus_index/0"), mode="r")
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels[:], index + 1)


def test_the_list_is_replaced_and_never_gone(make_source: MakeSource, monkeypatch: Any) -> None:
    source = make_source()
    with fused(source) as result:
        result.append_to(source, name="first")
        before = (source / "labels" / "zarr.json").read_bytes()

        def fail(*_: object) -> None:
            assert (source / "labels" / "zarr.json").read_bytes() == before
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(label_image.os, "fsync", fail)
        with pytest.raises(OutputError, match="No space left"):
            result.append_to(source, name="second")
    assert (source / "labels" / "zarr.json").read_bytes() == before
    assert sorted(path.name for path in (source / "labels").iterdir()) == [
        "first_focus_index",
        "zarr.json",
    ]
