"""The store keeps models whole, and notices when they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.weights.card import ModelCard, ModelDescription, described
from napari_gmff.weights.store import STORE_VARIABLE, ModelStore, default_root

STATE = {"a": torch.arange(4.0)}
SOURCE_SHA256 = "0" * 64


def describe(name: str = "mine") -> ModelDescription:
    return ModelDescription(name=name, title="Mine", architecture="another-network")


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_store_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "here"))
    assert ModelStore().root == tmp_path / "here"
    monkeypatch.delenv(STORE_VARIABLE)
    assert default_root().parts[-2:] == ("napari-gmff", "models")


def test_stored_model_is_a_folder_of_tensors_and_card(store):
    card = store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    assert files_in(store.root) == ["mine", "mine/card.json", "mine/model.safetensors"]
    assert store.card("mine") == card == store.verify("mine")
    assert store.names() == ["mine"]
    assert json.loads((store.root / "mine" / "card.json").read_text())["license"] == "NOASSERTION"


def test_an_empty_or_missing_store_lists_nothing(store):
    assert store.names() == []
    assert not store.root.exists()


def test_storing_twice_gives_the_same_sha256(store):
    first = store.add(STATE, describe("one"), source_sha256=SOURCE_SHA256)
    second = store.add(STATE, describe("two"), source_sha256=SOURCE_SHA256)
    assert first.sha256 == second.sha256


def test_a_taken_name_is_replaced_only_on_request(store):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    with pytest.raises(OutputError, match=r"mine: .* --overwrite"):
        store.add({"b": torch.ones(1)}, describe(), source_sha256=SOURCE_SHA256)
    before = store.verify("mine").sha256
    store.add({"b": torch.ones(1)}, describe(), source_sha256=SOURCE_SHA256, overwrite=True)
    assert store.verify("mine").sha256 != before
    assert files_in(store.root) == ["mine", "mine/card.json", "mine/model.safetensors"]


@pytest.mark.parametrize("size", [1, 500_000])
def test_full_disk_leaves_the_old_model_and_nothing_else(store, files_limited_to, size):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    before = store.verify("mine")
    fits_tensors_only = 150 if size == 1 else 100_000
    with (
        files_limited_to(fits_tensors_only),
        pytest.raises(OutputError, match=r"cannot store a model .*File too large"),
    ):
        state = {"b": torch.ones(size)}
        store.add(state, describe(), source_sha256=SOURCE_SHA256, overwrite=True)
    assert store.verify("mine") == before
    assert files_in(store.root) == ["mine", "mine/card.json", "mine/model.safetensors"]


def test_failed_swap_puts_the_old_model_back(store, monkeypatch):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    before = store.verify("mine")
    rename = Path.rename

    def fails_to_publish(self: Path, target: Path) -> Path:
        if ".partial" in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_to_publish)
    with pytest.raises(OutputError, match="Input/output error"):
        store.add({"b": torch.ones(1)}, describe(), source_sha256=SOURCE_SHA256, overwrite=True)
    assert store.verify("mine") == before
    assert store.names() == ["mine"]


def test_store_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    store = ModelStore(tmp_path / "file" / "models")
    with pytest.raises(OutputError, match="cannot store a model"):
        store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    with pytest.raises(OutputError, match="cannot be made"):
        store.downloads_folder()


def test_changed_tensors_are_found(store):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    path = store.root / "mine" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.safetensors: sha256 must be \w+ .* found \w+"):
        store.verify("mine")


def test_missing_tensors_are_found(store):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    (store.root / "mine" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: .*No such file"):
        store.verify("mine")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"sha256": "abc"}, "sha256"),
        ({"surprise": 1}, "surprise"),
        ({"name": "../mine"}, "name"),
        ({"name": "other"}, "as its folder does, 'mine', found 'other'"),
        ({"license": "do what you like!"}, "license"),
        ({"title": "red \x1b[31m"}, "title"),
        ({"created": "2026-01-01T00:00:00"}, "created"),
        ({"schema_version": 2}, "schema_version"),
        ({"input_range": {"eight_bit": "guess", "other": "dtype"}}, "eight_bit"),
    ],
)
def test_card_that_breaks_a_rule_is_named_and_listed_as_damaged(store, change, found):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    store.add(STATE, describe("sound"), source_sha256=SOURCE_SHA256)
    path = store.root / "mine" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WeightsError, match=found):
        store.card("mine")
    listed = {model.name: model for model in store.models()}
    assert listed["mine"].card is None
    assert found in (listed["mine"].problem or "")
    assert listed["sound"].problem is None


def test_card_that_is_not_json_is_named(store):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    (store.root / "mine" / "card.json").write_text("{")
    with pytest.raises(WeightsError, match=r"card\.json: not a valid model card"):
        store.card("mine")


def test_removed_model_is_gone_and_others_stay(store):
    store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    store.add(STATE, describe("other"), source_sha256=SOURCE_SHA256)
    store.remove("mine")
    assert files_in(store.root) == ["other", "other/card.json", "other/model.safetensors"]
    with pytest.raises(WeightsError, match=r"mine: no stored model .*stored: other"):
        store.remove("mine")


def test_removing_a_linked_model_removes_the_link_only(store, tmp_path):
    elsewhere = ModelStore(tmp_path / "group")
    elsewhere.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    store.root.mkdir()
    (store.root / "mine").symlink_to(elsewhere.root / "mine")
    assert store.verify("mine")
    store.remove("mine")
    assert store.names() == []
    assert elsewhere.verify("mine")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "/a", ".hidden", "a.", "A"])
def test_names_can_never_be_paths(store, name):
    with pytest.raises(ParameterError, match="model name"):
        store.folder(name)
    assert store.has(name) is False


def test_leftovers_of_killed_runs_are_not_models(store):
    for name in (".partial-1-ab", ".removed-1-ab", ".downloads"):
        (store.root / name).mkdir(parents=True)
    (store.root / "file").write_text("")
    assert store.names() == []


@pytest.mark.parametrize("text", ["MIT", "Apache-2.0 WITH LLVM-exception", "(MIT OR GPL-2.0+)"])
def test_spdx_licences_are_accepted(text):
    assert described(name="a", title="", architecture="n", license=text).license == text


def test_wrong_licence_of_the_user_is_a_parameter_error():
    with pytest.raises(ParameterError, match="license"):
        described(name="a", title="", architecture="n", license="free for all")


def test_card_survives_writing_and_reading(store):
    card = store.add(STATE, describe(), source_sha256=SOURCE_SHA256)
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
