"""The record of a run comes back as it was, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_gmff import FuseParams
from napari_gmff.engine_input import ChannelScale, EngineInput, measure_input
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.errors import ResumeError
from napari_gmff.plan import make_plan
from napari_gmff.unfinished.record import RunRecord, load_record, save_record
from tests.stacks import stack_of, textured


def record_with(inputs: list[EngineInput]) -> RunRecord:
    return RunRecord("out µ", {"a": 1}, {"block_px": 128}, ["/x"], 4, inputs, {"zarr.json": "{}"})


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    scale = ChannelScale(1, 0.1 + 0.2, 1e-300, 1 / 3, 1.0)
    record = record_with([EngineInput((scale,), 0.7, True, (1, 2))])
    save_record(tmp_path, record)
    assert load_record(tmp_path, Path("out")) == record


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_was_measured_comes_back_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    stack, params = stack_of(textured((2, 3, 90, 70), dtype), "CZYX"), FuseParams()
    inputs = [measure_input(stack, make_plan(stack, params), params, LaplacianEnergy(), 0)]
    save_record(tmp_path, record_with(inputs))
    found = load_record(tmp_path, Path("out"))
    assert found is not None
    assert found.inputs == inputs
    for before, after in zip(inputs[0].scales, found.inputs[0].scales, strict=True):
        # A NumPy float of another width would round otherwise.
        for name in ("low", "high", "noise", "weight"):
            assert isinstance(getattr(before, name), float), name
            assert isinstance(getattr(after, name), float), name


def test_there_may_be_none(tmp_path: Path) -> None:
    assert load_record(tmp_path, Path("out")) is None


def test_every_damage_is_noticed(tmp_path: Path) -> None:
    save_record(tmp_path, record_with([]))
    path = tmp_path / "run.json"
    data = path.read_bytes()
    for position in range(0, len(data), 3):
        path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        try:
            # Between two values a blank may become another letter that JSON skips.
            assert load_record(tmp_path, Path("out")) == record_with([])
        except ResumeError as error:
            assert "run.json is damaged" in str(error)
    for text in ("", "[]", "null", '{"run": 3}', "[" * 100_000, "\udcff"):
        path.write_text(text, errors="surrogateescape")
        with pytest.raises(ResumeError, match=r"out: .*run\.json is damaged; without --resume"):
            load_record(tmp_path, Path("out"))


def test_a_record_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_gmff.unfinished import record

    with monkeypatch.context() as patch:
        patch.setattr(record, "SCHEMA_VERSION", 7)
        save_record(tmp_path, record_with([]))
    assert json.loads((tmp_path / "run.json").read_text())["run"]["schema_version"] == 7
    with pytest.raises(ResumeError, match="must be 1, got 7"):
        load_record(tmp_path, Path("out"))
