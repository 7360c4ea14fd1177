"""Nothing of a restoration model happens before its licence was agreed to."""

from __future__ import annotations

import hashlib
import json

import pytest

from napari_gmff import __version__
from napari_gmff.errors import ConsentError, OutputError, ParameterError
from napari_gmff.restoration.models import consent
from napari_gmff.restoration.models.catalog import RESTORATION_MODELS
from napari_gmff.restoration.models.consent import (
    consent_text,
    give_consent,
    has_consent,
    require_consent,
    withdraw_consent,
)
from napari_gmff.restoration.models.licenses import MEDICAL_RESTRICTION
from napari_gmff.weights.store import ModelStore


@pytest.fixture
def store(tmp_path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.mark.parametrize("name", RESTORATION_MODELS)
def test_the_text_names_licence_invention_and_medicine(name):
    text = consent_text(name)
    model = RESTORATION_MODELS[name]
    assert text.startswith(model.title)
    assert model.license.name in text
    assert model.license.url in text
    assert "Content may be invented" in text
    assert "medical" in text
    assert "CreativeML Open RAIL++-M" in text


def test_the_base_models_text_quotes_the_medical_restriction():
    assert MEDICAL_RESTRICTION in consent_text("sd21-base")


def test_diffbir_is_never_called_ifcontrolnet():
    assert "IFControlNet" not in consent_text("diffbir-v2")
    assert "DiffBIR" not in consent_text("ifcontrolnet")


def test_consent_is_off_until_it_is_given_and_after_it_is_withdrawn(store):
    assert not has_consent("sd21-base", store)
    with pytest.raises(ConsentError, match="napari-gmff weights consent sd21-base"):
        require_consent("sd21-base", store)
    assert not store.root.exists()
    give_consent("sd21-base", store)
    require_consent("sd21-base", store)
    assert has_consent("sd21-base", store)
    assert withdraw_consent("sd21-base", store)
    assert not withdraw_consent("sd21-base", store)
    assert not has_consent("sd21-base", store)


def test_consent_to_one_model_is_none_to_another(store):
    give_consent("diffbir-v2", store)
    assert not has_consent("ifcontrolnet", store)
    give_consent("ifcontrolnet", store)
    assert has_consent("diffbir-v2", store)


def test_the_record_says_what_was_agreed_to(store):
    given = give_consent("sd21-base", store)
    (path,) = store.root.iterdir()
    record = json.loads(path.read_text())["consents"]["sd21-base"]
    assert record["title"] == "Stable Diffusion 2.1-base"
    assert record["license"] == RESTORATION_MODELS["sd21-base"].license.spdx
    assert record["program_version"] == __version__
    assert record["agreed"].endswith("Z")
    shown = consent_text("sd21-base").encode()
    assert record["text_sha256"] == hashlib.sha256(shown).hexdigest() == given.text_sha256


def test_a_changed_text_is_asked_for_again(store, monkeypatch):
    give_consent("sd21-base", store)
    monkeypatch.setattr(consent, "BANNER", "Something new.")
    assert not has_consent("sd21-base", store)
    give_consent("sd21-base", store)
    assert has_consent("sd21-base", store)


@pytest.mark.parametrize("damage", ["{", "[]", '{"consents": {"sd21-base": {"title": 1}}}'])
def test_a_damaged_record_is_no_consent_and_is_not_replaced(store, damage):
    store.root.mkdir()
    path = store.root / "consent.json"
    path.write_text(damage)
    assert not has_consent("sd21-base", store)
    with pytest.raises(ConsentError, match=r"consent\.json: damaged .*delete it"):
        give_consent("sd21-base", store)
    assert path.read_text() == damage


def test_a_store_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((ConsentError, OutputError), match=r"file/models"):
        give_consent("sd21-base", ModelStore(tmp_path / "file" / "models"))


def test_other_names_have_nothing_to_agree_to(store):
    for call in (consent_text, has_consent, give_consent, withdraw_consent, require_consent):
        with pytest.raises(ParameterError, match="no model for restoration; sd21-base"):
            call("microscopy", store)


def test_the_record_is_no_model(store):
    give_consent("sd21-base", store)
    assert store.names() == []
