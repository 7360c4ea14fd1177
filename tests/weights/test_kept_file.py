"""Large files are taken into the store as they are."""

from __future__ import annotations

import hashlib
import os

import pytest
import torch

from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.weights.card import CHECKPOINT_FILE, ModelDescription
from napari_gmff.weights.kept_file import keep_file
from napari_gmff.weights.load import load_state_dict
from napari_gmff.weights.resolve import resolve_weights

STATE = {"a": torch.arange(1000.0)}


def describe(_sha256: str) -> ModelDescription:
    return ModelDescription(name="large", title="Large", architecture="another-network")


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "theirs.pth"
    torch.save(STATE, path)
    return path


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_kept_file_shares_its_bytes_and_the_original_stays(checkpoint, tmp_path):
    steps = []
    found = keep_file(checkpoint, tmp_path / "kept", progress=lambda *step: steps.append(step))
    assert found == sha256(checkpoint)
    assert (tmp_path / "kept").samefile(checkpoint)
    size = checkpoint.stat().st_size
    assert steps == [(0, size), (size, size)]


def test_a_kept_link_is_a_link_to_what_it_points_at(checkpoint, tmp_path):
    (tmp_path / "link").symlink_to(checkpoint)
    keep_file(tmp_path / "link", tmp_path / "kept")
    assert not (tmp_path / "kept").is_symlink()
    assert (tmp_path / "kept").samefile(checkpoint)


@pytest.mark.parametrize("moves", [False, True])
def test_where_files_cannot_be_linked_they_are_copied(checkpoint, tmp_path, monkeypatch, moves):
    def refuses(*_args, **_options):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuses)
    monkeypatch.setattr(type(tmp_path), "rename", refuses)
    content = checkpoint.read_bytes()
    found = keep_file(checkpoint, tmp_path / "kept", moves=moves)
    assert (tmp_path / "kept").read_bytes() == content
    assert found == hashlib.sha256(content).hexdigest()
    assert checkpoint.exists() is not moves


def test_a_moved_file_leaves_nothing_behind(checkpoint, tmp_path):
    content = checkpoint.read_bytes()
    keep_file(checkpoint, tmp_path / "kept", moves=True)
    assert not checkpoint.exists()
    assert (tmp_path / "kept").read_bytes() == content


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nothing\.pth: weights cannot be read"):
        keep_file(tmp_path / "nothing.pth", tmp_path / "kept")


def test_a_checkpoint_is_stored_as_it_came_and_verified(store, checkpoint):
    card = store.add_file(checkpoint, CHECKPOINT_FILE, describe)
    assert card.sha256 == card.source_sha256 == sha256(checkpoint)
    assert store.verify("large") == card
    kept = store.folder("large") / CHECKPOINT_FILE
    assert torch.equal(load_state_dict(kept, maps_file=True)["a"], STATE["a"])
    (listed,) = store.models()
    assert listed.size_bytes == checkpoint.stat().st_size
    with kept.open("ab") as file:
        file.write(b"more")
    with pytest.raises(WeightsError, match=r"model\.pt: sha256 must be"):
        store.verify("large")


def test_what_stops_a_file_from_being_stored_leaves_nothing_behind(store, checkpoint):
    def refuses(_sha256: str) -> ModelDescription:
        raise ParameterError("no")

    def stops(done: int, _total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(ParameterError, match="no"):
        store.add_file(checkpoint, CHECKPOINT_FILE, refuses)
    with pytest.raises(KeyboardInterrupt):
        store.add_file(checkpoint, CHECKPOINT_FILE, describe, progress=stops)
    assert list(store.root.iterdir()) == []
    store.add_file(checkpoint, CHECKPOINT_FILE, describe)
    with pytest.raises(OutputError, match="already stored"):
        store.add_file(checkpoint, CHECKPOINT_FILE, describe)
    assert checkpoint.exists()


def test_a_full_disk_stops_a_copy_with_one_sentence(
    store, checkpoint, files_limited_to, monkeypatch
):
    def refuses(*_args, **_options):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuses)
    with files_limited_to(1000), pytest.raises(OutputError, match="cannot store a model"):
        store.add_file(checkpoint, CHECKPOINT_FILE, describe)
    assert list(store.root.iterdir()) == []


def test_a_model_for_something_else_is_refused_before_it_is_hashed(store, checkpoint):
    store.add_file(checkpoint, CHECKPOINT_FILE, describe)
    (store.folder("large") / CHECKPOINT_FILE).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="must be of stackmff-v4, found those of another"):
        resolve_weights("large", "stackmff-v4", store=store)


def test_a_checkpoint_with_a_misleading_name_is_read_all_the_same(checkpoint, tmp_path):
    misnamed = checkpoint.rename(tmp_path / "model.safetensors")
    assert torch.equal(load_state_dict(misnamed, maps_file=True)["a"], STATE["a"])


def test_tensors_beside_the_state_of_a_training_program_are_found(tmp_path):
    torch.save({"state_dict": STATE, "global_step": 3}, tmp_path / "last.ckpt")
    assert torch.equal(load_state_dict(tmp_path / "last.ckpt")["a"], STATE["a"])
