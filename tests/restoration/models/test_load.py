"""A restorer is made only of models that are agreed to, there, and the very files they claim."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_gmff.errors import (
    ConsentError,
    DeviceError,
    GmffError,
    ParameterError,
    WeightsError,
)
from napari_gmff.restoration.models import load
from napari_gmff.restoration.models.consent import give_consent, withdraw_consent
from napari_gmff.restoration.models.load import check_ready, load_restorer
from napari_gmff.restoration.models.obtain import import_restoration_model
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.restoration.restorer import StepDone

pytest.importorskip("diffusers", reason="the extra 'restoration' is not installed")

TINY = RestoreParams(
    model="diffbir-v2",
    base="tiny-base",
    steps=2,
    guidance=1,
    tile_px=64,
    device="cpu",
    allow_cpu=True,
)


def finished(steps):
    """Run a generator to its end; return what it yielded last and what it returned."""
    last = None
    while True:
        try:
            last = next(steps)
        except StopIteration as end:
            return last, end.value


def test_stored_models_restore_and_say_what_they_are(tiny_models):
    store = tiny_models()
    restorer = load_restorer(TINY, store, least_side_px=64)
    facts = restorer.facts
    assert (facts["name"], facts["title"]) == ("diffbir-v2", "DiffBIR v2")
    control, base = facts["models"]
    assert control["sha256"] == store.card("diffbir-v2").sha256
    assert control["license"] == "Apache-2.0"
    assert base["sha256"] == store.card("tiny-base").sha256
    assert base["title"] == "Stable Diffusion 2, not the published 2.1-base"
    assert "IFControlNet" not in json.dumps(dict(facts))
    image = np.random.default_rng(1).random((3, 64, 72), np.float32)
    last, restored = finished(restorer.restore(image, 5))
    assert last == StepDone(TINY.steps, TINY.steps)
    assert restored.shape == image.shape
    assert np.isfinite(restored).all()
    assert not np.array_equal(restored, image)


def test_nothing_is_loaded_without_consent_to_each_model(tiny_models):
    store = tiny_models()
    for name in ("sd21-base", "diffbir-v2"):
        withdraw_consent(name, store)
        with pytest.raises(ConsentError, match=f"weights consent {name}"):
            load_restorer(TINY, store)
        give_consent(name, store)


def test_missing_models_are_named_with_what_to_do(agreed, tiny_base):
    with pytest.raises(WeightsError, match=r"sd21-base: .*5,214,604,494 bytes.*--as sd21-base"):
        check_ready(RestoreParams(), agreed)
    import_restoration_model(tiny_base, agreed, name="tiny-base")
    with pytest.raises(WeightsError, match=r"ifcontrolnet: .*get IFControlNet\.pt"):
        check_ready(RestoreParams(base="tiny-base"), agreed)
    with pytest.raises(ParameterError, match="nothing: no model for restoration"):
        check_ready(RestoreParams(base="nothing"), agreed)


def test_names_in_the_wrong_place_are_refused(tiny_models):
    store = tiny_models()
    with pytest.raises(ParameterError, match="base: diffbir-v2 is DiffBIR v2, which is no base"):
        check_ready(TINY.model_copy(update={"base": "diffbir-v2"}), store)
    with pytest.raises(ParameterError, match=r"model: tiny-base is Stable .* no control model"):
        check_ready(TINY.model_copy(update={"model": "tiny-base"}), store)


def test_a_changed_file_is_found_although_it_was_sound_before(tiny_models, tmp_path):
    store = tiny_models()
    load_restorer(TINY, store)
    path = store.folder("diffbir-v2") / "model.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # it shares its bytes with the original
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.pt: sha256 must be .*weights remove diffbir"):
        load_restorer(TINY, store)


def test_unchanged_files_are_hashed_once(tiny_models, monkeypatch):
    store = tiny_models()
    monkeypatch.setattr(load, "_hashed", {})
    seen = []
    load_restorer(TINY, store, progress=lambda *step: seen.append(step))
    sizes = {path.stat().st_size for path in store.root.glob("*/model.*")}
    assert {done for done, total in seen if done == total} == sizes
    seen.clear()
    load_restorer(TINY, store, progress=lambda *step: seen.append(step))
    assert seen == []


def test_a_processor_must_be_asked_for_before_anything_is_hashed(tiny_models, monkeypatch):
    store = tiny_models()
    monkeypatch.setattr(load, "_hashed", {})
    with pytest.raises(DeviceError, match=r"allow_cpu|CPU"):
        load_restorer(TINY.model_copy(update={"allow_cpu": False}), store)
    assert load._hashed == {}


def test_without_the_extra_one_line_says_what_to_install(tiny_models, monkeypatch):
    from napari_gmff.restoration.diffusion import extra

    store = tiny_models()
    monkeypatch.setattr(extra, "find_spec", lambda _name: None)
    with pytest.raises(GmffError, match=r"pip install 'napari-gmff\[restoration\]'"):
        load_restorer(TINY, store)


def test_missing_prompts_that_cannot_be_computed_are_told(agreed, tiny_base, tiny_control):
    import_restoration_model(tiny_base, agreed, name="tiny-base")
    import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    with pytest.raises(WeightsError, match="weights prompts tiny-base --file FILE"):
        load_restorer(TINY, agreed)


def test_a_model_of_another_size_does_not_fit(tiny_models, tiny_control, tmp_path):
    import torch

    store = tiny_models()
    state = torch.load(tiny_control, weights_only=True)
    state["input_blocks.0.0.weight"] = torch.zeros(32, 7, 3, 3)
    torch.save(state, tmp_path / "other.pth")
    import_restoration_model(tmp_path / "other.pth", store, kind="ifcontrolnet")
    with pytest.raises(WeightsError, match="must have 8 channels, found 7"):
        load_restorer(TINY.model_copy(update={"model": "ifcontrolnet"}), store)
