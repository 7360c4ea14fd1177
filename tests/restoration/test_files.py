"""Restorations in files: the mark is there for every program, and survives what is done to them."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr
from PIL import Image

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.export.appending import place_in
from napari_gmff.export.layout import GENERATED, IMAGE_NAMES, file_stem
from napari_gmff.export.previews import PREVIEWED_RESTORED
from napari_gmff.marks import AI_MARK, BANNER, FUSED_SOURCE_TYPE, RESTORED_SOURCE_TYPE
from napari_gmff.reading.stack import Channel
from napari_gmff.results import FusionResult, open_result
from tests.export.conftest import MakeResult
from tests.restoration.conftest import MakeRestoration

CHANNELS = (Channel("DAPI", "0000FF"), Channel("GFP", "00FF00"))
AMBER = (255, 176, 0)
ZARRS = ("ome-zarr", "ome-zarr-0.4")


@pytest.mark.parametrize("format", ZARRS)
def test_every_generated_image_of_an_ome_zarr_is_marked_for_others_and_for_us(
    make_restoration: MakeRestoration, tmp_path: Path, format: Any
) -> None:
    with make_restoration(n_seeds=2, channels=CHANNELS) as made:
        made.save(tmp_path / "out", format=format)
    root = zarr.open_group(str(tmp_path / "out"), mode="r")
    for name in made.images:
        yaozarrs.validate_zarr_store(str(tmp_path / "out" / name))
        facts: dict[str, Any] = dict(root[name].attrs)
        ours, facts = facts["napari_gmff"], facts.get("ome", facts)
        (multiscale,) = facts["multiscales"]
        labels = [channel["label"] for channel in facts["omero"]["channels"]]
        is_generated = name in GENERATED
        assert multiscale["name"].endswith(AI_MARK) == is_generated
        assert all(label.endswith(AI_MARK) == is_generated for label in labels)
        assert (multiscale.get("metadata", {}).get("Notice") == BANNER) == is_generated
        assert ("restored" in ours) == is_generated
        if is_generated:
            assert ours["restored"]["record"] == made.restoration
            assert ours["restored"]["digital_source_type"] == RESTORED_SOURCE_TYPE


def test_every_generated_ome_tiff_is_marked_in_name_description_annotation_and_xmp(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration(n_seeds=2, channels=CHANNELS) as made:
        made.save(tmp_path / "out", format="ome-tiff")
    for name in made.images:
        with tifffile.TiffFile(tmp_path / "out" / f"{file_stem(name)}.ome.tif") as tiff:
            ome = tifffile.xml2dict(tiff.ome_metadata)["OME"]
            xmp = tiff.pages.first.tags[700].value.decode() if name != "restoration_mask" else ""
        texts = [ome["Image"]["Name"], ome["Image"]["Description"]]
        listed = ome["StructuredAnnotations"]["MapAnnotation"]
        maps = listed if isinstance(listed, list) else [listed]
        spaces = [one["Namespace"] for one in maps]
        marked = [AI_MARK in text for text in texts]
        if name in GENERATED:
            assert marked == [True, True]
            assert file_stem(name).startswith("ai-restored")
            entries = {one["K"]: one["value"] for one in maps[0]["Value"]["M"]}
            assert spaces[0] == "napari-gmff/ai-restored"
            assert entries["Mark"] == AI_MARK
            assert entries["DigitalSourceType"] == RESTORED_SOURCE_TYPE
            assert RESTORED_SOURCE_TYPE in xmp
        else:
            assert marked == [False, False]
            assert "napari-gmff/ai-restored" not in spaces
            assert (FUSED_SOURCE_TYPE in xmp) == (name == "fused")


def test_every_generated_file_for_imagej_is_marked_in_its_info_and_labels(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration(n_seeds=2, channels=CHANNELS, times=2) as made:
        made.save(tmp_path / "out", format="imagej")
    for name in made.images:
        with tifffile.TiffFile(tmp_path / "out" / f"{file_stem(name)}.tif") as tiff:
            facts = tiff.imagej_metadata
            assert facts is not None
            labels = [facts["Labels"]] if isinstance(facts["Labels"], str) else facts["Labels"]
        is_generated = name in GENERATED
        assert facts["Info"].startswith(f"{AI_MARK} {BANNER}") == is_generated
        assert all(label.endswith(AI_MARK) == is_generated for label in labels)


def test_files_of_a_fusion_bear_no_mark(make_result: MakeResult, tmp_path: Path) -> None:
    with make_result() as fused:
        fused.save(tmp_path / "a.ome.zarr")
        fused.save(tmp_path / "a.ome-tiff", format="ome-tiff")
        fused.save(tmp_path / "a.imagej", format="imagej")
    files = [path for path in tmp_path.rglob("a.*/**/*") if path.is_file()]
    assert len(files) > 10
    for file in files:
        content = file.read_bytes()
        assert AI_MARK.encode() not in content and b"TrainedAlgorithmic" not in content, file


@pytest.mark.parametrize(("first", "second"), list(product(ZARRS, ZARRS)))
def test_marks_and_pixels_survive_being_opened_and_saved_again(
    make_restoration: MakeRestoration, tmp_path: Path, first: Any, second: Any
) -> None:
    with make_restoration(n_seeds=2, channels=CHANNELS) as made:
        made.save(tmp_path / "first", format=first)
        open_result(tmp_path / "first").save(tmp_path / "second", format=second)
        again = open_result(tmp_path / "second")
        assert again.images == made.images
        assert again.provenance == made.provenance
        for name in made.images:
            np.testing.assert_array_equal(again.image(name), made.image(name), strict=True)


def test_no_generated_image_is_saved_without_what_it_was_made_from(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration(n_seeds=2) as made:
        made.save(tmp_path / "out", images=["difference"])
    assert set(open_result(tmp_path / "out").images) == {"difference", "fused", "restoration_mask"}


def test_depth_that_the_run_left_out_does_not_matter_where_there_is_none(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration() as made:
        made.provenance["parameters"] = {"depth_min_confidence": 0.5, "shard_px": 512}
        made.save(tmp_path / "out")
        opened = open_result(tmp_path / "out")
        np.testing.assert_array_equal(opened.image("restored"), made.restored)


def test_a_restoration_replaces_only_results_and_only_when_told(
    make_restoration: MakeRestoration, make_result: MakeResult, tmp_path: Path
) -> None:
    fused = make_result(name="other")
    fused.save(tmp_path / "fused.ome.zarr")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with make_restoration() as made:
        with pytest.raises(OutputError, match="already exists"):
            made.save(tmp_path / "fused.ome.zarr")
        with pytest.raises(OutputError, match="never replaces a fusion"):
            made.save(tmp_path / "fused.ome.zarr", overwrite=True)
        made.save(tmp_path / "restored.ome.zarr")
        made.save(tmp_path / "restored.ome.zarr", overwrite=True)
        with pytest.raises(OutputError, match="holds other files"):
            made.save(tmp_path / "mine", overwrite=True)
        with pytest.raises(ParameterError, match="format"):
            made.save(tmp_path / "new", format="png")  # type: ignore[arg-type]
    assert isinstance(open_result(tmp_path / "fused.ome.zarr"), FusionResult)
    assert not (tmp_path / "new").exists()


def test_what_a_model_invented_is_not_put_beside_what_was_measured(
    make_restoration: MakeRestoration, make_result: MakeResult, tmp_path: Path
) -> None:
    make_result(name="other").save(tmp_path / "stack.ome.zarr")
    image = tmp_path / "stack.ome.zarr" / "fused"
    with make_restoration() as made, pytest.raises(OutputError, match="apart from the stack"):
        place_in(image).append(made)  # type: ignore[arg-type]
    assert not (image / "gmff").exists()


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_pictures_say_what_they_are_in_name_texts_and_source_type(
    make_restoration: MakeRestoration, tmp_path: Path, format: Any
) -> None:
    with make_restoration(n_seeds=2, shape_yx=(200, 300)) as made:
        paths = made.save_previews(tmp_path / "moth.ome.zarr", format=format)
    ending = {"png": ".png", "jpeg": ".jpg"}[format]
    assert [path.name for path in paths] == [
        f"moth.{file_stem(name)}{ending}" for name in PREVIEWED_RESTORED
    ]
    for name, path in zip(PREVIEWED_RESTORED, paths, strict=True):
        with Image.open(path) as picture:
            picture.load()
            packet = json.dumps(picture.getxmp())
            texts = getattr(picture, "text", {})
            described = str(dict(picture.getexif()))
        wanted = RESTORED_SOURCE_TYPE if name in GENERATED else FUSED_SOURCE_TYPE
        assert wanted in packet
        if format == "jpeg":
            assert (AI_MARK in described) == (name in GENERATED)
            continue
        assert texts["DigitalSourceType"] == wanted
        assert texts["Title"].endswith(AI_MARK) == (name in GENERATED)
        assert texts["Description"].startswith(AI_MARK) == (name in GENERATED)
        assert ("Disclaimer" in texts) == (name in GENERATED)
        assert json.loads(texts["Provenance"]) == made.provenance


def test_the_mark_in_a_corner_can_be_left_out_and_the_fused_picture_has_none(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration(shape_yx=(200, 300)) as made:
        made.save_previews(tmp_path / "with")
        made.save_previews(tmp_path / "without", corner_mark=False)
    for name in ("restored", "difference", "fused"):
        stem = file_stem(name)
        with_mark, without = (
            (np.asarray(Image.open(tmp_path / f"{kind}.{stem}.png")) == AMBER).all(axis=-1).sum()
            for kind in ("with", "without")
        )
        assert (with_mark > without + 200) == (name != "fused")


def test_a_picture_of_a_fusion_is_a_computational_capture(
    make_result: MakeResult, tmp_path: Path
) -> None:
    make_result().save_previews(tmp_path / "moth")
    with Image.open(tmp_path / "moth.fused.png") as picture:
        picture.load()
        assert picture.text["DigitalSourceType"] == FUSED_SOURCE_TYPE
        assert "Disclaimer" not in picture.text


def test_every_image_has_a_file_name_of_its_own() -> None:
    assert len({file_stem(name) for name in IMAGE_NAMES}) == len(IMAGE_NAMES)
