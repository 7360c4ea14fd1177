"""A run with an engine that computes pixels: what it gives and refuses, and that it says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff import Corrections, apply_corrections, fuse, methods_text, open_result
from napari_gmff.errors import ParameterError
from napari_gmff.estimate import estimate_seconds
from napari_gmff.params import BLEND_ENGINES, FuseParams
from tests.stacks import SMALL_BLOCKS, assert_same_images, images_of, stack_of, textured

BLEND = {"engine": "weighted-average"}


@pytest.mark.parametrize("engine", BLEND_ENGINES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_there_is_a_fused_image_of_the_sources_type_and_nothing_else(engine: str, dtype: str):
    images = images_of(stack_of(textured((3, 60, 50), dtype)), engine=engine)
    assert list(images) == ["fused"]
    assert images["fused"].dtype == dtype
    assert images["fused"].shape == (60, 50)


@pytest.mark.parametrize("engine", BLEND_ENGINES)
def test_equal_slices_come_out_bit_for_bit(engine: str):
    plane = textured((1, 60, 50), "uint16")
    images = images_of(stack_of(np.repeat(plane, 3, axis=0)), engine=engine)
    np.testing.assert_array_equal(images["fused"], plane[0])


@pytest.mark.parametrize("engine", BLEND_ENGINES)
def test_a_region_is_the_crop_of_the_whole(engine: str):
    stack = stack_of(textured((3, 200, 210)))
    whole = images_of(stack, engine=engine, projections=True, **SMALL_BLOCKS)
    part = images_of(
        stack, engine=engine, projections=True, region=((33, 160), (50, 190)), **SMALL_BLOCKS
    )
    assert_same_images(part, {name: image[33:160, 50:190] for name, image in whole.items()})


def test_colour_is_blended_sample_by_sample():
    grey = textured((3, 60, 50), "uint8")
    colour = np.stack([grey, grey // 2, np.full_like(grey, 7)], axis=-1)
    images = images_of(stack_of(colour, "ZYXS"), **BLEND)
    assert images["fused"].shape == (3, 60, 50)
    assert (images["fused"][2] == 7).all()
    assert images["fused"][0].std() > 1.5 * images["fused"][1].std() > 0


def test_every_time_point_and_channel_is_blended():
    array = textured((2, 2, 3, 40, 50), "uint16")
    images = images_of(stack_of(array, "TCZYX"), **BLEND)
    assert images["fused"].shape == (2, 2, 40, 50)
    alone = images_of(stack_of(array[1], "CZYX"), **BLEND)
    np.testing.assert_array_equal(images["fused"][1], alone["fused"])


def test_gaps_of_one_slice_are_filled_from_the_others_and_those_of_all_stay():
    array = textured((3, 60, 50), "float32")
    array[1, 10:20, 10:20] = np.nan
    array[:, 40, 40] = np.inf
    for engine in BLEND_ENGINES:
        with fuse(stack_of(array), engine=engine) as result:
            fused = result.fused.compute()
            assert any("NaN or infinite" in text for text in result.provenance["warnings"])
        assert list(zip(*np.nonzero(np.isnan(fused)), strict=True)) == [(40, 40)]


def test_record_and_methods_say_that_pixels_are_computed():
    with fuse(stack_of(textured()), **BLEND) as result:
        record, text = result.provenance, methods_text(result.provenance)
    assert record["pixels_copied"] is False
    assert record["score_kind"] is None
    assert "computed from the pixels of all slices, not copied" in text
    assert "copied unchanged" not in text
    assert "Depth is" not in text
    assert "Mertens T" in text


def test_saved_results_say_so_too_in_both_formats(tmp_path: Path):
    with fuse(stack_of(textured()), **BLEND, output=tmp_path / "out.ome.zarr") as result:
        result.save(tmp_path / "tiffs", format="ome-tiff")
    again = open_result(tmp_path / "out.ome.zarr")
    assert not again.pixels_copied
    assert again.images["fused"].title == "fused (blended)"
    attributes = json.loads((tmp_path / "out.ome.zarr/fused/zarr.json").read_text())["attributes"]
    assert attributes["ome"]["multiscales"][0]["name"] == "fused (blended)"
    with tifffile.TiffFile(tmp_path / "tiffs/fused.ome.tif") as file:
        assert file.ome_metadata is not None
        assert "computed from all slices by weighted-average" in file.ome_metadata


@pytest.mark.parametrize("name", ["focus_index", "depth", "confidence"])
def test_images_of_a_choice_are_refused_with_the_reason(name: str):
    with fuse(stack_of(textured()), **BLEND) as result:
        with pytest.raises(ParameterError, match=f"no {name}, weighted-average computes pixels"):
            getattr(result, name)


def test_curves_and_corrections_are_refused_with_the_reason():
    stack = stack_of(textured())
    other = Corrections.of(fuse(stack, engine="laplacian-energy"))
    with fuse(stack, **BLEND) as result:
        for ask in (result.focus_curve, result.intensity_curve):
            with pytest.raises(ParameterError, match="curve: there is none, weighted-average comp"):
                ask(3, 3)
        with pytest.raises(ParameterError, match="corrections: there is nothing to correct"):
            Corrections.of(result)
        with pytest.raises(ParameterError, match="corrections: there is nothing to correct"):
            apply_corrections(result, stack, other)


def test_depth_cannot_be_marked_where_there_is_none():
    with pytest.raises(ParameterError, match=r"depth_min_confidence: .* neither depth nor .*0.3"):
        fuse(stack_of(textured()), **BLEND, depth_min_confidence=0.3)


def test_depth_cannot_be_marked_when_saving_either(tmp_path: Path):
    with fuse(stack_of(textured()), **BLEND) as result:
        with pytest.raises(ParameterError, match="there is no depth, weighted-average computes"):
            result.save(tmp_path / "out", depth_min_confidence=0.3)
    assert not (tmp_path / "out").exists()


def test_a_blend_takes_no_weights():
    with pytest.raises(ParameterError, match="weights: engine weighted-average uses none"):
        fuse(stack_of(textured()), **BLEND, weights="mine")


def test_the_time_of_a_blend_is_estimated_from_what_it_works_on():
    grey, colour = textured((3, 64, 64)), np.repeat(textured((3, 64, 64))[..., None], 3, -1)
    params = FuseParams(engine="laplacian-pyramid")
    seconds = [
        estimate_seconds(stack, params) for stack in (stack_of(grey), stack_of(colour, "ZYXS"))
    ]
    assert 0 < seconds[0] < seconds[1] < 60
