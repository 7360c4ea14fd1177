"""Parameters go to the file that the command line takes, and come back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_gmff import FuseParams
from napari_gmff._napari.fusing.parameter_file import load_parameters, save_parameters
from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.params import load_params

PARAMS = FuseParams(z_range=(2, 9), region=((0, 50), (10, 60)), projections=True, time=(1, 2))


def test_what_is_saved_is_what_the_command_line_reads(tmp_path):
    path = save_parameters(str(tmp_path / "run.json"), PARAMS, {"voxel_size_um": (0.5, None, None)})
    values = load_params(Path(path))
    assert FuseParams(**{name: values[name] for name in FuseParams.model_fields}) == PARAMS
    assert values["voxel_size_um"] == [0.5, None, None]
    assert "series" not in values, "only what was chosen for reading is written"


def test_what_is_saved_is_loaded_again(tmp_path):
    path = save_parameters(str(tmp_path / "run"), PARAMS, {"series": 2})
    assert path.endswith("run.json")
    values = load_parameters(path)
    assert values.pop("series") == 2
    assert FuseParams(**values) == PARAMS


def test_an_older_file_is_replaced_whole(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("x" * 100_000)
    save_parameters(str(path), PARAMS, {})
    assert json.loads(path.read_text())["projections"] is True
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(OutputError, match="missing"):
        save_parameters(str(tmp_path / "missing" / "run.json"), PARAMS, {})


def test_a_file_with_a_wrong_value_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"halo_px": 3}')
    with pytest.raises(ParameterError, match=r"run\.json: halo_px"):
        load_parameters(str(path))
