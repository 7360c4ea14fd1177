from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest

import napari_gmff
from napari_gmff.errors import SourceError
from napari_gmff.provenance import FILE_NAME, make_provenance, read_provenance


def make(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "engine": "laplacian-energy",
        "score_kind": "log-energy",
        "parameters": {"block_px": 1024, "region": ((0, 5), (2, 9))},
        "source_name": "stack.tif",
        "source_fingerprint": "ab",
        "source_axes": "TCZYX",
        "source_shape": (1, 1, 3, 50, 40),
        "source_dtype": "uint8",
        "slices": range(3),
        "z_um": np.array([0.0, 1.0, 2.5]),
        "voxel_size_um": (None, 0.5, np.float32(0.5)),
        "inputs": [{"t": 0, "channel": 0, "range": (np.uint8(3), 250.0), "sigma_px": 0.0}],
        "slice_order": "ordered",
        "device": "cpu",
    }
    return make_provenance(**{**values, **changes})


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in (*value, *value.values()) for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_the_record_survives_json_unchanged() -> None:
    record = make()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["slices"] == {"numbers": [0, 1, 2], "z_um": [0.0, 1.0, 2.5], "order": "ordered"}
    assert record["source"]["voxel_size_um"] == [None, 0.5, 0.5]
    assert record["inputs"][0]["range"] == [3, 250.0]
    assert record["parameters"]["region"] == [[0, 5], [2, 9]]


def test_program_version_and_pixel_promise_are_noted() -> None:
    record = make()
    assert (record["program"], record["version"]) == ("napari-gmff", napari_gmff.__version__)
    assert record["schema_version"] == 1
    assert record["pixels_copied"] is True
    assert record["libraries"]["numpy"] == np.__version__


def test_the_date_is_in_utc_wherever_the_run_was() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert make(date=noon)["date"] == "2026-03-01T07:00:00+00:00"
    assert datetime.fromisoformat(make()["date"]).tzinfo == UTC


def test_values_that_are_no_number_become_null() -> None:
    record = make(inputs=[{"range": (float("nan"), float("inf")), "sigma_px": np.nan}])
    assert record["inputs"] == [{"range": [None, None], "sigma_px": None}]


def test_no_folder_gets_into_the_record() -> None:
    record = make(
        source_name="/home/someone/secret place/stack.tif",
        parameters={
            "weights": "/home/someone/secret/my model.pth",
            "params": Path("/home/someone/secret/run.json"),
            "windows": PureWindowsPath("C:\\Users\\someone\\model.pth"),
            "nested": [{"text": "C:\\Users\\someone\\secret\\stack.tif"}],
        },
        warnings=[
            "slice 3 of /home/someone/secret/stack.tif holds NaN",
            "files ignored: '/home/someone/a.txt', '/home/someone/b.txt'",
            "~/secret/notes.txt: ignored",
            "\\\\server\\secret\\stack.tif: two slices are constant",
        ],
        weights={"name": "authors-v4", "file": "/opt/someone/model.safetensors"},
    )
    for text in strings(record):
        assert "someone" not in text and "secret" not in text, text
    assert record["source"]["name"] == "stack.tif"
    assert record["parameters"]["weights"] == "my model.pth"
    assert record["parameters"]["windows"] == "model.pth"
    assert record["warnings"][0] == "slice 3 of stack.tif holds NaN"
    assert record["warnings"][1] == "files ignored: 'a.txt', 'b.txt'"
    assert record["warnings"][2] == "notes.txt: ignored"
    assert record["warnings"][3] == "stack.tif: two slices are constant"


@pytest.mark.parametrize(
    "text",
    [
        "https://raw.githubusercontent.com/owner/name/file.pth",
        "0.5 µm/px, and/or 3 / 4",
        "12 s at 1:30, a:b",
        "/",
        "line one\nline two",
    ],
)
def test_texts_that_are_no_paths_stay_as_they_are(text: str) -> None:
    assert make(warnings=[text])["warnings"] == [text]


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold object"):
        make(parameters={"x": object()})


def test_the_record_is_read_from_a_folder_and_from_the_file(tmp_path: Path) -> None:
    record = make()
    (tmp_path / FILE_NAME).write_text(json.dumps(record))
    assert read_provenance(tmp_path) == record
    assert read_provenance(tmp_path / FILE_NAME) == record


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[1]",
        "[" * 100_000,
        '{"program": "another", "schema_version": 1}',
        '{"program": "napari-gmff", "schema_version": 99}',
    ],
    ids=["missing", "empty", "list", "deep", "foreign", "future"],
)
def test_what_is_no_record_of_ours_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(SourceError, match=str(tmp_path)):
        read_provenance(tmp_path)
