from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr
from yaozarrs import v04

from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import create_working_store
from napari_gmff.provenance import read_provenance
from napari_gmff.reading.ome_zarr_metadata import multiscale_of
from napari_gmff.reading.stack import Channel
from napari_gmff.results import Geometry
from tests.export.conftest import KNOWN, MakeResult, image_specs, record


def attributes(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "zarr.json").read_text())["attributes"]
    return values


def multiscale(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = attributes(folder)["ome"]["multiscales"][0]
    return found


COLORS = (Channel("DAPI", "0000FF"), Channel("actin"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"times": 2},
        {"channels": COLORS},
        {"times": 3, "channels": COLORS},
        {"shape_yx": (700, 300), "dtype": "float32"},
        {"geometry": Geometry()},
        {"geometry": Geometry((None, 0.5))},
    ],
    ids=["yx", "tyx", "cyx", "tcyx", "pyramid", "no size", "one size"],
)
def test_a_saved_result_is_valid_ome_zarr_0_5(
    make_result: MakeResult, tmp_path: Path, options: dict[str, Any]
) -> None:
    out = tmp_path / "result.ome.zarr"
    make_result(**options).save(out)
    group = yaozarrs.validate_zarr_store(str(out))
    assert group.ome_version() == "0.5"
    assert attributes(out)["ome"]["bioformats2raw.layout"] == 3
    names = ["fused", "focus_index", "depth", "confidence"]
    assert attributes(out / "OME")["ome"]["series"] == names
    for name in names:
        yaozarrs.validate_zarr_store(str(out / name))


@pytest.mark.parametrize(
    "options",
    [
        {"times": 3, "channels": COLORS},
        {"shape_yx": (700, 300), "dtype": "float32"},
        {"geometry": Geometry()},
    ],
    ids=["tcyx", "pyramid", "no size"],
)
def test_a_result_saved_for_older_programs_is_valid_ome_zarr_0_4(
    make_result: MakeResult, tmp_path: Path, options: dict[str, Any]
) -> None:
    out = tmp_path / "result.ome.zarr"
    with make_result(**options) as result:
        result.save(out, format="ome-zarr-0.4")
        # The root of a series says no version in 0.4, so that it is checked against its model.
        v04.Bf2Raw.model_validate(json.loads((out / ".zattrs").read_text()))
        assert not list(out.rglob("zarr.json"))
        for name in result.images:
            group = yaozarrs.validate_zarr_store(str(out / name))
            assert group.ome_version() == "0.4"
            stored = json.loads((out / name / "0" / ".zarray").read_text())
            assert stored["dimension_separator"] == "/"
            assert stored["zarr_format"] == 2
            facts = json.loads((out / name / ".zattrs").read_text())
            assert facts["multiscales"][0]["version"] == "0.4"
            assert facts["omero"]["channels"]
        assert read_provenance(out) == result.provenance
    series = v04.Series.model_validate(json.loads((out / "OME" / ".zattrs").read_text()))
    assert series.series == ["fused", "focus_index", "depth", "confidence"]


def test_both_versions_say_the_same_of_an_image(make_result: MakeResult, tmp_path: Path) -> None:
    result = make_result((300, 600), channels=COLORS)
    result.save(tmp_path / "new")
    result.save(tmp_path / "old", format="ome-zarr-0.4")
    for name in result.images:
        new = attributes(tmp_path / "new" / name)["ome"]
        old = json.loads((tmp_path / "old" / name / ".zattrs").read_text())
        assert old["multiscales"] == [{**new["multiscales"][0], "version": "0.4"}]
        assert old["omero"] == {**new["omero"], "version": "0.4"}


def test_our_own_reading_finds_sizes_and_places_in_0_4(
    make_result: MakeResult, tmp_path: Path
) -> None:
    make_result((300, 280)).save(tmp_path / "out", format="ome-zarr-0.4")
    depth = zarr.open_group(str(tmp_path / "out"), mode="r")["depth"]
    image = multiscale_of("depth", depth)
    assert (image.version, image.paths) == ("0.4", ("0", "1"))
    assert image.axes == (("y", "micrometer"), ("x", "micrometer"))
    assert (image.scale, image.translation) == ((0.5, 0.25), (10.0, 20.0))


def test_known_sizes_have_units_and_levels_lie_at_the_middle_of_their_pixels(
    make_result: MakeResult, tmp_path: Path
) -> None:
    make_result((300, 600)).save(tmp_path / "out")
    fused = multiscale(tmp_path / "out" / "fused")
    assert [axis.get("unit") for axis in fused["axes"]] == ["micrometer", "micrometer"]
    places = [dataset["coordinateTransformations"] for dataset in fused["datasets"]]
    assert [place[0]["scale"] for place in places] == [[0.5, 0.25], [1.0, 0.5], [2.0, 1.0]]
    # The first pixel of level 1 covers pixels 0 and 1, whose middle is half a pixel further.
    assert [place[1]["translation"] for place in places] == [
        [10.0, 20.0],
        [10.25, 20.125],
        [10.75, 20.375],
    ]


def test_levels_of_chosen_slice_numbers_are_not_shifted(
    make_result: MakeResult, tmp_path: Path
) -> None:
    make_result((300, 600)).save(tmp_path / "out")
    index = multiscale(tmp_path / "out" / "focus_index")
    places = [dataset["coordinateTransformations"] for dataset in index["datasets"]]
    assert [place[1]["translation"] for place in places] == [[10.0, 20.0]] * 3
    assert index["type"] == "nearest"


def test_an_unknown_pixel_size_has_no_unit_and_no_origin(
    make_result: MakeResult, tmp_path: Path
) -> None:
    make_result(geometry=Geometry((None, 0.5), (10.0, 20.0))).save(tmp_path / "out")
    fused = multiscale(tmp_path / "out" / "fused")
    assert [axis.get("unit") for axis in fused["axes"]] == [None, "micrometer"]
    scale, translation = fused["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1.0, 0.5]
    assert translation["translation"] == [0.0, 20.0]


def test_time_has_its_step_where_known(make_result: MakeResult, tmp_path: Path) -> None:
    make_result(times=2, geometry=Geometry(time_step_s=30.0)).save(tmp_path / "known")
    make_result(times=2, geometry=Geometry(), name="other").save(tmp_path / "unknown")
    known = multiscale(tmp_path / "known" / "depth")
    unknown = multiscale(tmp_path / "unknown" / "depth")
    assert known["axes"][0] == {"name": "t", "type": "time", "unit": "second"}
    assert known["datasets"][0]["coordinateTransformations"][0]["scale"][0] == 30.0
    assert unknown["axes"][0] == {"name": "t", "type": "time"}


def test_channels_keep_names_and_colours_and_windows_follow_the_data(
    make_result: MakeResult, tmp_path: Path
) -> None:
    make_result(channels=COLORS).save(tmp_path / "out")
    channels = attributes(tmp_path / "out" / "fused")["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["DAPI", "actin"]
    assert channels[0]["color"] == "0000FF"
    for channel in channels:
        window = channel["window"]
        assert (window["min"], window["max"]) == (0, 65535)
        assert 0 <= window["start"] < 1000 < 64000 < window["end"] <= 65535


def test_colour_samples_are_shown_in_their_colours(make_result: MakeResult, tmp_path: Path) -> None:
    samples = tuple(Channel(name) for name in ("red", "green", "blue", "alpha"))
    make_result(channels=samples, dtype="uint8", geometry=Geometry(is_rgb=True)).save(
        tmp_path / "out"
    )
    channels = attributes(tmp_path / "out" / "fused")["ome"]["omero"]["channels"]
    assert [channel["color"] for channel in channels[:3]] == ["FF0000", "00FF00", "0000FF"]
    assert [channel["active"] for channel in channels] == [True, True, True, False]


def test_a_result_of_one_value_still_has_a_window_with_a_width(tmp_path: Path) -> None:
    specs = image_specs((20, 20))
    finish_ome_zarr(create_working_store(tmp_path / "out", specs), specs, Geometry(), record())
    yaozarrs.validate_zarr_store(str(tmp_path / "out"))
    for spec in specs:
        channel = attributes(tmp_path / "out" / spec.name)["ome"]["omero"]["channels"][0]
        assert channel["window"]["start"] < channel["window"]["end"]


def test_depth_below_the_threshold_becomes_no_data_at_every_level(
    make_result: MakeResult, tmp_path: Path
) -> None:
    parameters = {"depth_min_confidence": 0.3}
    result = make_result((600, 520), provenance=record(parameters=parameters))
    depth, confidence = result.depth.compute(), result.confidence.compute()
    result.save(tmp_path / "out")
    saved = zarr.open_group(str(tmp_path / "out"), mode="r")
    expected = np.where(confidence < 0.3, np.nan, depth)
    assert 0.2 < np.isnan(expected).mean() < 0.4
    np.testing.assert_array_equal(saved["depth/0"][:], expected)
    quad = expected[:2, :2]
    assert saved["depth/1"][0, 0] == pytest.approx(np.nanmean(quad))
    ours = attributes(tmp_path / "out" / "depth")["napari_gmff"]
    assert ours["no_data"] == "NaN marks pixels whose confidence is below 0.3"
    np.testing.assert_array_equal(result.depth.compute(), depth)


def test_without_a_threshold_depth_is_saved_as_it_is(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result()
    result.save(tmp_path / "out")
    saved = zarr.open_group(str(tmp_path / "out"), mode="r")
    np.testing.assert_array_equal(saved["depth/0"][:], result.depth.compute())
    assert attributes(tmp_path / "out" / "depth")["napari_gmff"]["no_data"] is None


def test_the_record_stands_in_the_attributes_of_the_root(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result(geometry=KNOWN)
    result.save(tmp_path / "out")
    assert attributes(tmp_path / "out")["napari_gmff"]["provenance"] == result.provenance
