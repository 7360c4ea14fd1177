"""The weights that come with the package: always there, always the same, never in the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.weights import shipped_models
from napari_gmff.weights.card import ModelDescription
from napari_gmff.weights.catalog import AUTHORS_V4
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.obtain import import_model
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.shipped_models import SHIPPED_NAME

V4 = "stackmff-v4"
MOST_BYTES = 4_000_000


def plant(store, name: str, authors_file: Path) -> None:
    """Put a model under a name into the store, as no command would."""
    import_model(authors_file, store, name="mine")
    card = store.card("mine").model_copy(update={"name": name})
    (store.folder("mine") / "card.json").write_text(card.model_dump_json())
    (store.root / "mine").rename(store.root / name)


def test_they_are_found_by_name_without_a_store(store, random_shipped):
    state, card = resolve_weights(SHIPPED_NAME, V4, store=store)
    assert card == random_shipped
    assert card.name == SHIPPED_NAME
    assert {tensor.dtype for tensor in state.values()} == {torch.float32, torch.int64}
    assert not store.root.exists()


def test_a_copy_without_them_says_so_and_what_to_do(store, nothing_shipped):
    with pytest.raises(WeightsError) as caught:
        resolve_weights(SHIPPED_NAME, V4, store=store)
    assert str(caught.value).startswith(f"{SHIPPED_NAME}: this copy of the package lacks")
    assert "--engine laplacian-energy" in str(caught.value)
    assert not shipped_models.has_shipped()


def test_changed_tensors_are_refused(store, random_shipped):
    path = shipped_models.shipped_folder() / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"sha256 must be .* install the package again"):
        resolve_weights(SHIPPED_NAME, V4, store=store)


def test_a_card_of_another_name_is_refused(store, random_shipped):
    path = shipped_models.shipped_folder() / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "other"}))
    with pytest.raises(WeightsError, match="must name the model as its folder does"):
        resolve_weights(SHIPPED_NAME, V4, store=store)


@pytest.mark.parametrize("name", [SHIPPED_NAME, "authors"])
def test_nothing_is_stored_under_a_name_that_means_something_else(store, authors_file, name):
    with pytest.raises(ParameterError, match=f"'{name}' always means"):
        import_model(authors_file, store, name=name)
    description = ModelDescription(name=name, title="", architecture=V4)
    with pytest.raises(ParameterError, match=f"'{name}' always means"):
        store.add({"a": torch.ones(1)}, description, source_sha256="0" * 64, overwrite=True)
    assert store.names() == []


@pytest.mark.parametrize("name", [SHIPPED_NAME, "authors"])
def test_a_folder_planted_under_such_a_name_is_not_a_stored_model(
    store, authors_file, random_shipped, name
):
    plant(store, name, authors_file)
    assert store.names() == []
    assert not store.has(name)
    with pytest.raises(WeightsError, match="no stored model"):
        store.remove(name)
    assert resolve_weights(SHIPPED_NAME, V4, store=store)[1] == random_shipped


def test_a_file_of_that_name_beside_the_program_does_not_shadow_them(
    store, random_shipped, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in (SHIPPED_NAME, "authors"):
        (tmp_path / name).write_text("not weights")
    assert resolve_weights(SHIPPED_NAME, V4, store=store)[1] == random_shipped
    with pytest.raises(WeightsError, match="must be a safetensors file"):
        resolve_weights(f"./{SHIPPED_NAME}", V4, store=store)
    with pytest.raises(WeightsError, match="must be a safetensors file"):
        resolve_weights(Path("authors"), V4, store=store)


def test_authors_is_short_for_the_authors_weights(store, stored, shared_dir):
    stored("mine")
    with pytest.raises(WeightsError, match=r"authors-v4: no stored model .*download authors-v4"):
        resolve_weights("authors", V4, store=store)
    import_model(shared_dir / "weights" / "stackmffv4.pth", store)
    card = resolve_weights("authors", V4, store=store)[1]
    assert (card.name, card.source_sha256) == ("authors-v4", AUTHORS_V4.sha256)


def test_unknown_name_lists_them_too(store, random_shipped):
    with pytest.raises(WeightsError, match=rf"stored: none; with the package: {SHIPPED_NAME}\)"):
        resolve_weights("nothing", V4, store=store)


def test_their_folder_can_be_copied_and_used_or_stored_under_another_name(
    store, random_shipped, tmp_path
):
    copied = tmp_path / "copied"
    shutil.copytree(shipped_models.shipped_folder(), copied)
    assert resolve_weights(copied, V4, store=store)[1] == random_shipped
    card = import_model(copied, store, name="kept")
    assert (card.version, card.input_smoothing) == ("0.5", "none")


def test_the_real_ones_are_sound_small_and_free(shipped_folder):
    card = shipped_models.verify_shipped()
    assert card.architecture == V4
    assert card.license == "BSD-3-Clause"
    assert card.version
    assert sum(path.stat().st_size for path in shipped_folder.iterdir()) <= MOST_BYTES
    names = sorted(path.name for path in shipped_folder.iterdir())
    assert names == ["README.md", "card.json", "model.safetensors"]
    assert sha256_of(shipped_folder / "model.safetensors") != AUTHORS_V4.sha256


def test_the_real_card_tells_how_they_were_trained(shipped_folder):
    from napari_gmff.weights.card_text import card_markdown

    card = shipped_models.shipped_card()
    training = card.training
    assert training is not None
    assert training.steps > 0
    assert training.hours > 0
    for told in (training.config, training.machine, training.evaluation, training.limits):
        assert told
    assert training.data
    assert all(source.license != "NOASSERTION" for source in training.data)
    assert (shipped_folder / "README.md").read_text(encoding="utf-8") == card_markdown(card)
