"""Importing files and downloading what the catalogue names."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch

from napari_gmff.errors import DownloadError, OutputError, ParameterError, WeightsError
from napari_gmff.weights.catalog import AUTHORS_V4, CATALOG
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.obtain import download_model, import_model
from napari_gmff.weights.resolve import resolve_weights

V4 = "stackmff-v4"


@pytest.fixture
def entry(authors_file):
    """Return a catalogue entry for the random checkpoint."""
    return dataclasses.replace(
        AUTHORS_V4, sha256=sha256_of(authors_file), size_bytes=authors_file.stat().st_size
    )


def test_import_converts_to_our_layout_and_remembers_the_original(store, authors_file, our_state):
    card = import_model(authors_file, store, license="MIT", source="https://example.org/m.pth")
    assert (card.name, card.license) == ("their-model", "MIT")
    assert card.source == "https://example.org/m.pth"
    assert card.source_sha256 == sha256_of(authors_file)
    assert card.sha256 == sha256_of(store.folder("their-model") / "model.safetensors")
    state, again = resolve_weights("their-model", V4, store=store)
    assert again == card
    assert all(torch.equal(state[name], our_state[name]) for name in our_state)


def test_import_never_replaces_a_name_without_being_told(store, authors_file):
    first = import_model(authors_file, store, name="mine")
    with pytest.raises(OutputError, match="already stored"):
        import_model(authors_file, store, name="mine", license="MIT")
    assert store.card("mine") == first
    assert import_model(authors_file, store, name="mine", license="MIT", overwrite=True)
    assert store.card("mine").license == "MIT"


def test_a_models_folder_can_be_passed_on(store, stored, tmp_path):
    given = tmp_path / "given"
    shutil.move(stored("mine"), given)
    card = import_model(given, store, name="yours")
    assert (card.name, card.title) == ("yours", "Their Model.pth")
    assert store.verify("yours").source_sha256 == card.source_sha256


def test_a_damaged_models_folder_is_not_imported(store, stored, tmp_path):
    given = tmp_path / "given"
    shutil.move(stored("mine"), given)
    (given / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="sha256 must be"):
        import_model(given, store, name="yours")
    assert store.names() == []


def test_bad_file_leaves_nothing_in_the_store(store, tmp_path):
    path = tmp_path / "m.pth"
    torch.save({"something.weight": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="missing"):
        import_model(path, store)
    assert not store.root.exists()


@pytest.mark.parametrize("name", ["../out", "A B", ""])
def test_import_under_a_path_is_refused(store, authors_file, tmp_path, name):
    with pytest.raises(ParameterError, match="model name"):
        import_model(authors_file, store, name=name)
    assert not (tmp_path / "out").exists()


def test_no_other_file_takes_a_catalogue_name(store, authors_file):
    with pytest.raises(WeightsError, match="'authors-v4' is kept for the file with sha256"):
        import_model(authors_file, store, name="authors-v4")


def test_a_card_that_claims_the_authors_file_does_not_get_its_name(store, stored, tmp_path):
    folder = stored("mine")
    card = store.card("mine").model_copy(
        update={"name": "authors-v4", "source_sha256": AUTHORS_V4.sha256}
    )
    (folder / "card.json").write_text(card.model_dump_json())
    given = tmp_path / "given"
    shutil.move(folder, given)
    with pytest.raises(WeightsError, match="is kept for"):
        import_model(given, store)


def test_the_authors_file_is_recognised_by_its_sha256(store, shared_dir, tmp_path):
    renamed = tmp_path / "whatever.bin"
    shutil.copy(shared_dir / "weights" / "stackmffv4.pth", renamed)
    with pytest.raises(ParameterError, match="this is authors-v4, its license is MIT, got GPL"):
        import_model(renamed, store, license="GPL-3.0-only")
    card = import_model(renamed, store)
    assert (card.name, card.license, card.source) == ("authors-v4", "MIT", AUTHORS_V4.url)
    assert card.source_sha256 == AUTHORS_V4.sha256 == sha256_of(renamed)
    assert renamed.stat().st_size == AUTHORS_V4.size_bytes
    # What is stored so counts as downloaded: nobody listens at that address.
    nowhere = "http://127.0.0.1:9/model.pth"
    assert download_model("authors-v4", store, url=nowhere) == (card, False)


def test_download_stores_the_model_and_then_needs_no_network(
    store, entry, file_server, answer, authors_file
):
    file_server.answers = [answer(authors_file.read_bytes(), cut_after=2_000_000)]
    file_server.answers += [answer(authors_file.read_bytes())]
    fast = {"url": file_server.url, "entry": entry}
    card, fetched = download_model("authors-v4", store, **fast)
    assert fetched
    assert file_server.ranges == [None, "bytes=2000000-"]
    assert card == store.verify("authors-v4")
    assert (card.license, card.source) == ("MIT", AUTHORS_V4.url)
    assert list(store.downloads_folder().iterdir()) == []
    assert download_model("authors-v4", store, **fast) == (card, False)
    assert len(file_server.ranges) == 2


def test_damaged_stored_model_is_downloaded_anew(store, entry, file_server, answer, authors_file):
    file_server.answers = [answer(authors_file.read_bytes())]
    download_model("authors-v4", store, url=file_server.url, entry=entry)
    (store.folder("authors-v4") / "model.safetensors").write_bytes(b"damaged")
    _, fetched = download_model("authors-v4", store, url=file_server.url, entry=entry)
    assert fetched
    assert store.verify("authors-v4")


def test_wrong_content_is_not_stored(store, entry, file_server, answer):
    file_server.answers = [answer(b"an error page")]
    with pytest.raises(DownloadError, match=f"sha256 must be {entry.sha256}, found"):
        download_model("authors-v4", store, url=file_server.url, entry=entry)
    assert store.names() == []
    assert list(store.downloads_folder().iterdir()) == []


def test_another_model_under_the_catalogues_name_is_not_replaced(
    store, entry, file_server, answer, authors_file
):
    file_server.answers = [answer(authors_file.read_bytes())]
    download_model("authors-v4", store, url=file_server.url, entry=entry)
    with pytest.raises(OutputError, match="another model is stored under this name"):
        download_model("authors-v4", store, url=file_server.url)
    assert len(file_server.ranges) == 1


def test_unknown_model_lists_what_can_be_downloaded(store):
    with pytest.raises(WeightsError, match=r"nothing: not a downloadable model; .*authors-v4"):
        download_model("nothing", store)


def test_every_catalogue_entry_is_pinned():
    for name, known in CATALOG.items():
        assert known.name == name
        assert known.url.startswith("https://")
        assert len(known.sha256) == 64
        assert known.size_bytes > 0
        assert known.description.license != "NOASSERTION"
