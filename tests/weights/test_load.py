"""Files of tensors that are damaged, foreign or hostile."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_gmff.errors import WeightsError
from napari_gmff.weights.load import load_state_dict

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}


class Runs:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors", "no-ending"])
@pytest.mark.parametrize("save", [torch.save, save_file])
def test_the_content_and_not_the_ending_tells_the_kind(tmp_path, save, name):
    path = tmp_path / name
    save(STATE, path)
    loaded = load_state_dict(path)
    assert loaded.keys() == STATE.keys()
    assert all(torch.equal(loaded[key], STATE[key]) for key in STATE)


def test_parameters_come_without_gradients(tmp_path):
    path = tmp_path / "m.pth"
    torch.save({"a": torch.nn.Parameter(torch.ones(2))}, path)
    assert load_state_dict(path)["a"].requires_grad is False


def test_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    trap, path = tmp_path / "trap", tmp_path / "m.pth"
    torch.save({"a": torch.ones(1), "b": Runs(trap)}, path)
    with pytest.raises(WeightsError, match=r"m\.pth: refused, loading it would call \w+\.mkdir"):
        load_state_dict(path)
    assert not trap.exists()
    torch.load(path, weights_only=False)  # the trap does work
    assert trap.exists()


@pytest.mark.parametrize("legacy", [True, False])
def test_bare_pickle_is_refused_and_runs_nothing(tmp_path, legacy):
    trap, path = tmp_path / "trap", tmp_path / "m.pth"
    if legacy:
        torch.save({"b": Runs(trap)}, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps({"b": Runs(trap)}))
    with pytest.raises(WeightsError, match="refused, a bare pickle can run code"):
        load_state_dict(path)
    assert not trap.exists()


def test_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"m/{name}", b"")
    with pytest.raises(WeightsError, match="refused, it holds a TorchScript program"):
        load_state_dict(path)


def test_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    path, bomb = tmp_path / "m.pth", tmp_path / "bomb.pth"
    torch.save({"a": torch.zeros(1_000_000)}, path)
    with (
        zipfile.ZipFile(path) as plain,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(WeightsError, match="would unpack to more"):
        load_state_dict(bomb)


@pytest.mark.parametrize("save", [torch.save, save_file])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_truncated_file_is_named(tmp_path, save, share):
    path = tmp_path / "m.weights"
    save({"a": torch.rand(5000), "b": torch.rand(5)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match=r"m\.weights: .*(truncated|cut short)"):
        load_state_dict(path)


@pytest.mark.parametrize("position", range(64, 1200, 37))
def test_flipped_bytes_never_escape_as_another_error(tmp_path, position):
    path = tmp_path / "m.pth"
    torch.save(STATE, path)
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    try:
        load_state_dict(path)
    except WeightsError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([torch.ones(1)], "found list"),
        (torch.ones(1), "found Tensor"),
        ({}, "an empty mapping"),
        ({"epoch": 3}, "found int under 'epoch'"),
        ({"model": {"a": torch.ones(1)}}, "found dict under 'model'"),
        ({1: torch.ones(1)}, "found Tensor under '1'"),
        ({"a": torch.ones(2, 2).to_sparse()}, "'a' is sparse"),
        ({"a": torch.ones(1, dtype=torch.complex64)}, "complex"),
        ({"a": torch.ones(1, device="meta")}, "without data"),
    ],
)
def test_anything_but_named_tensors_is_not_a_state_dict(tmp_path, value, found):
    path = tmp_path / "m.pth"
    torch.save(value, path)
    with pytest.raises(WeightsError, match=found):
        load_state_dict(path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n....", b"{}", bytes(100)])
def test_other_files_are_told_apart(tmp_path, content):
    path = tmp_path / "m.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"found {len(content)} bytes"):
        load_state_dict(path)


def test_zip_of_something_else_is_named(tmp_path):
    path = tmp_path / "m.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("text.txt", b"hello")
    with pytest.raises(WeightsError, match=r"no data\.pkl"):
        load_state_dict(path)


def test_missing_file_folder_and_pipe_are_refused_at_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "none.pth", tmp_path, pipe):
        with pytest.raises(WeightsError, match=path.name):
            load_state_dict(path)
