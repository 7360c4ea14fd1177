from __future__ import annotations

import json

import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.params import (
    DEFAULT_ENGINE,
    FuseParams,
    ReadParams,
    RunParams,
    load_params,
    validated,
)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("input_range", "auto", "auto"),
        ("input_range", "dtype", "dtype"),
        ("input_range", "100:4095", (100.0, 4095.0)),
        ("input_range", "-0.5:1e3", (-0.5, 1000.0)),
        ("input_sigma_px", "auto", "auto"),
        ("input_sigma_px", "1.5", 1.5),
        ("input_sigma_px", "0", 0.0),
        ("z_range", "2:9", (2, 9)),
        ("region", "0:100,20:300", ((0, 100), (20, 300))),
        ("region", " 0 : 100 , 20 : 300 ", ((0, 100), (20, 300))),
        ("time", "3", (3, 4)),
        ("time", "3:7", (3, 7)),
        ("time", 0, (0, 1)),
        ("channel", "1", 1),
        ("channel", "DAPI", "DAPI"),
        ("channel", "combined", "combined"),
        ("block_px", "512", 512),
        ("device", "cuda:1", "cuda:1"),
        ("slice_order", "unordered", "unordered"),
        ("depth_min_confidence", "0.25", 0.25),
    ],
)
def test_flags_parse_as_typed(field, text, value):
    parsed = getattr(validated(FuseParams, {field: text}), field)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5,0.1,0.1", (0.5, 0.1, 0.1)),
        (",0.1,0.1", (None, 0.1, 0.1)),
        ("0.5,?,?", (0.5, None, None)),
    ],
)
def test_voxel_size_may_have_unknown_parts(text, value):
    assert validated(ReadParams, {"voxel_size_um": text}).voxel_size_um == value


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("input_range", "100"),
        ("input_range", "5:5"),
        ("input_range", "9:1"),
        ("input_range", "nan:1"),
        ("input_range", "0:inf"),
        ("input_range", "low:high"),
        ("input_sigma_px", "-1"),
        ("input_sigma_px", "nan"),
        ("input_sigma_px", "much"),
        ("z_range", "4"),
        ("z_range", "5:5"),
        ("z_range", "-1:4"),
        ("z_range", "a:b"),
        ("region", "0:10"),
        ("region", "0:10,5:5"),
        ("region", "10:0,0:5"),
        ("region", "0:10,0:5,0:5"),
        ("time", "-1"),
        ("time", "x"),
        ("time", "2:1"),
        ("voxel_size_um", "0.5"),
        ("voxel_size_um", "0,1,1"),
        ("voxel_size_um", "-1,1,1"),
        ("voxel_size_um", "nan,1,1"),
        ("voxel_size_um", "inf,1,1"),
        ("block_px", "100"),
        ("block_px", "0"),
        ("block_px", "-128"),
        ("block_px", "16384"),
        ("halo_px", "-4"),
        ("halo_px", "6"),
        ("device", "gpu"),
        ("device", "cuda:x"),
        ("threads", "0"),
        ("slice_order", "up"),
        ("depth_min_confidence", "1.5"),
        ("memory_limit_mb", "0"),
        ("series", "-1"),
        ("blok_px", "512"),
    ],
)
def test_bad_value_is_one_line_that_names_field_and_value(field, given):
    with pytest.raises(ParameterError) as caught:
        validated(RunParams, {field: given})
    message = str(caught.value)
    assert message.startswith(f"{field}: ")
    assert "\n" not in message
    assert "pydantic" not in message
    parts = [part for part in given.replace(",", ":").split(":") if part]
    assert any(part.strip("-") in message for part in parts)


def test_every_wrong_field_is_named():
    with pytest.raises(ParameterError, match=r"^series: .*; block_px: |^block_px: .*; series: "):
        validated(RunParams, {"series": -1, "block_px": 100})


def test_weights_imply_their_engine():
    assert validated(FuseParams, {"weights": "mine"}).engine == "stackmff-v4"
    assert validated(FuseParams, {}).engine == DEFAULT_ENGINE


def test_weights_for_an_engine_that_uses_none_are_refused():
    with pytest.raises(ParameterError, match=r"weights: engine laplacian-energy uses none.*'mine'"):
        validated(FuseParams, {"weights": "mine", "engine": "laplacian-energy"})


@pytest.mark.parametrize(("block_px", "halo_px"), [(128, 64), (256, 128), (512, 300)])
def test_halo_of_half_a_window_is_refused(block_px, halo_px):
    with pytest.raises(ParameterError, match=f"halo_px must be less than half.*got {halo_px}"):
        validated(FuseParams, {"block_px": block_px, "halo_px": halo_px})
    assert validated(FuseParams, {"block_px": block_px, "halo_px": block_px // 2 - 4})


def test_parameters_survive_the_way_through_json():
    params = validated(
        RunParams,
        {
            "region": "0:100,20:300",
            "time": "3",
            "z_range": "1:4",
            "voxel_size_um": ",0.1,0.1",
            "input_range": "5:250",
            "input_sigma_px": "1.5",
            "channel": "DAPI",
            "weights": "authors-v4",
            "depth_min_confidence": "0.1",
        },
    )
    text = params.model_dump_json()
    assert validated(RunParams, json.loads(text)) == params
    default = RunParams()
    assert validated(RunParams, json.loads(default.model_dump_json())) == default


def test_parameter_file_may_leave_fields_out(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"block_px": 512, "region": "0:9,0:9"}', encoding="utf-8")
    assert load_params(path) == {"block_px": 512, "region": "0:9,0:9"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not a readable JSON parameter file"),
        (b"\xff\xfe\x00", "not a readable JSON parameter file"),
        (b"[1]", "must hold a JSON object, got list"),
        (b'{"halo": 3}', "halo: "),
        (b'{"block_px": 100}', "block_px: .*got 100"),
    ],
)
def test_bad_parameter_file_is_refused_in_one_line(content, words, tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=words) as caught:
        load_params(path)
    assert "run.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_parameter_file_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"nothing\.json.*not a readable"):
        load_params(tmp_path / "nothing.json")


def test_parameters_cannot_be_changed_afterwards():
    params = FuseParams()
    with pytest.raises(ValueError, match="frozen"):
        params.block_px = 512
    assert params.model_copy(update={"block_px": 512}).block_px == 512
