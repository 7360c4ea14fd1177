"""What may stand after --weights."""

from __future__ import annotations

import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_gmff.errors import WeightsError
from napari_gmff.network.checkpoint import authors_from_ours
from napari_gmff.weights.catalog import AUTHORS_V4
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.store import ModelStore

V4 = "stackmff-v4"


def assert_same(state, expected) -> None:
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("layout", ["ours", "authors"])
@pytest.mark.parametrize("ending", [".pth", ".pt", ".safetensors"])
def test_loose_files_of_either_layout_load_in_ours(our_state, store, tmp_path, layout, ending):
    state = our_state if layout == "ours" else authors_from_ours(our_state)
    path = tmp_path / f"My Weights{ending}"
    (save_file if ending == ".safetensors" else torch.save)(state, path)
    loaded, card = resolve_weights(str(path), V4, store=store)
    assert_same(loaded, our_state)
    assert card.sha256 == card.source_sha256 == sha256_of(path)
    assert (card.name, card.architecture, card.license) == ("my-weights", V4, "NOASSERTION")
    assert str(tmp_path) not in card.model_dump_json()


def test_half_precision_weights_are_widened(our_state, store, tmp_path):
    half = {n: t.half() if t.is_floating_point() else t for n, t in our_state.items()}
    save_file(half, tmp_path / "half.safetensors")
    loaded, _ = resolve_weights(tmp_path / "half.safetensors", V4, store=store)
    assert {t.dtype for t in loaded.values() if t.is_floating_point()} == {torch.float32}


def test_loaded_weights_do_not_change_with_the_file(our_state, store, tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(our_state, path)
    loaded, _ = resolve_weights(path, V4, store=store)
    with path.open("r+b") as file:
        file.seek(-4000, 2)
        file.write(bytes(4000))
    assert_same(loaded, our_state)


def test_stored_name_model_folder_and_its_tensor_file_are_the_same(our_state, store, stored):
    folder = stored("mine")
    for given in ("mine", folder, folder / "model.safetensors"):
        loaded, card = resolve_weights(given, V4, store=store)
        assert_same(loaded, our_state)
        assert card == store.card("mine")


def test_stored_name_wins_over_a_file_of_that_name(store, stored, tmp_path, monkeypatch):
    stored("mine")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("not weights")
    assert resolve_weights("mine", V4, store=store)[1].name == "mine"
    with pytest.raises(WeightsError, match="must be a safetensors file"):
        resolve_weights("./mine", V4, store=store)


def test_changed_stored_tensors_are_refused_on_each_load(store, stored):
    folder = stored("mine")
    resolve_weights("mine", V4, store=store)
    state = load_file(folder / "model.safetensors")
    first = next(name for name in state if state[name].is_floating_point())
    save_file(state | {first: state[first] + 1}, folder / "model.safetensors")
    with pytest.raises(WeightsError, match="sha256 must be"):
        resolve_weights("mine", V4, store=store)


def test_model_folder_copied_under_another_name_still_loads_by_path(store, stored, tmp_path):
    shutil.copytree(stored("mine"), tmp_path / "Copied")
    assert resolve_weights(tmp_path / "Copied", V4, store=store)[1].name == "mine"


def test_unknown_name_lists_the_stored_ones_and_the_ways_to_get_more(store, stored):
    with pytest.raises(WeightsError, match=r"\(stored: none[;)]"):
        resolve_weights("nothing", V4, store=store)
    stored("one")
    stored("two")
    with pytest.raises(WeightsError) as caught:
        resolve_weights("authors-v4", V4, store=store)
    assert "stored: one, two" in str(caught.value)
    assert "napari-gmff weights download authors-v4" in str(caught.value)
    assert "napari-gmff weights import FILE" in str(caught.value)


@pytest.mark.parametrize("given", ["none.pth", "folder/none", "../none.safetensors"])
def test_missing_file_is_called_a_file(store, given):
    with pytest.raises(WeightsError, match=f"{re.escape(given)}: weights file does not exist"):
        resolve_weights(given, V4, store=store)


def test_missing_and_unexpected_keys_are_named(our_state, store, tmp_path):
    path = tmp_path / "m.pth"
    theirs = authors_from_ours(our_state)
    torch.save(
        {k: v for k, v in theirs.items() if k != "feature_extraction.firstconv.weight"}, path
    )
    with pytest.raises(WeightsError, match=r"m\.pth: .*missing feature_extraction\.firstconv"):
        resolve_weights(path, V4, store=store)
    torch.save(theirs | {"extra.weight": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"m\.pth: .*extra\.weight"):
        resolve_weights(path, V4, store=store)


def test_other_shapes_are_named_without_allocating_them(our_state, store, tmp_path):
    name = next(name for name in our_state if name.endswith("weight"))
    path = tmp_path / "m.pth"
    huge = torch.ones(1).expand(1 << 20, 1 << 20)  # 4 TiB if it were ever copied
    torch.save(our_state | {name: huge}, path)
    with pytest.raises(WeightsError, match=f"{re.escape(name)} must have shape"):
        resolve_weights(path, V4, store=store)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(our_state, store, tmp_path, bad):
    name = next(name for name in our_state if name.endswith("weight"))
    spoiled = our_state[name].clone()
    spoiled.view(-1)[0] = bad
    save_file(our_state | {name: spoiled}, tmp_path / "m.safetensors")
    with pytest.raises(WeightsError, match="must be finite"):
        resolve_weights(tmp_path / "m.safetensors", V4, store=store)


def test_weights_of_another_network_are_refused(store, stored, authors_file):
    stored("mine")
    with pytest.raises(WeightsError, match=r"must be of stackmff-v9, found those of stackmff-v4"):
        resolve_weights("mine", "stackmff-v9", store=store)
    with pytest.raises(WeightsError, match="architecture must be one of stackmff-v4"):
        resolve_weights(authors_file, "stackmff-v9", store=store)


def test_the_users_own_store_is_the_default(stored, store, monkeypatch):
    stored("mine")
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(store.root))
    assert ModelStore().names() == ["mine"]
    assert resolve_weights("mine", V4)[1].name == "mine"


def test_the_authors_own_file_gets_the_catalogues_card(store, shared_dir):
    state, card = resolve_weights(shared_dir / "weights" / "stackmffv4.pth", V4, store=store)
    assert card.sha256 == AUTHORS_V4.sha256
    assert (card.name, card.license) == ("authors-v4", "MIT")
    assert sum(t.numel() for n, t in state.items() if "running" not in n and "num_" not in n) == (
        938_416
    )
