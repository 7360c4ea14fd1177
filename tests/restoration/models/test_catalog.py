"""The catalogue tells models apart, and pins what can be pinned."""

from __future__ import annotations

import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.restoration.models.catalog import (
    RESTORATION_MODELS,
    is_for_restoration,
    model_called,
    model_of_architecture,
)
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.weights.architectures import ARCHITECTURES
from napari_gmff.weights.card import ModelDescription, described
from napari_gmff.weights.store import ModelStore


def test_only_the_base_model_is_published_and_it_is_pinned():
    published = {name: model.published for name, model in RESTORATION_MODELS.items()}
    assert published["ifcontrolnet"] is published["diffbir-v2"] is None
    base = published["sd21-base"]
    assert base.size_bytes == 5_214_604_494
    assert len(base.sha256) == 64
    assert base.url.startswith("https://")
    assert "/resolve/main/" not in base.url
    assert base.url.endswith(RESTORATION_MODELS["sd21-base"].file_name)


def test_every_model_has_a_valid_card_and_an_architecture_of_its_own():
    architectures = [model.architecture for model in RESTORATION_MODELS.values()]
    assert len(set(architectures)) == len(RESTORATION_MODELS)
    assert not set(architectures) & set(ARCHITECTURES)
    for name, model in RESTORATION_MODELS.items():
        assert name == model.name
        assert model_of_architecture(model.architecture) is model
        card = described(
            name=name,
            title=model.title,
            architecture=model.architecture,
            license=model.license.spdx,
            source=model.source,
            citation=model.citation,
        )
        assert card.license == model.license.spdx


def test_the_default_parameters_name_models_of_the_catalogue():
    params = RestoreParams()
    assert RESTORATION_MODELS[params.base].role == "base"
    assert RESTORATION_MODELS[params.model].role == "control"


def test_a_model_for_fusing_is_not_taken_for_one_that_restores(tmp_path):
    import torch

    store = ModelStore(tmp_path)
    description = ModelDescription(name="mine", title="Mine", architecture="stackmff-v4")
    store.add({"a": torch.ones(1)}, description, source_sha256="0" * 64)
    assert not is_for_restoration("stackmff-v4")
    with pytest.raises(ParameterError, match="mine: is a model of stackmff-v4, which restores"):
        model_called("mine", store)
    with pytest.raises(ParameterError, match=r"one of stable-diffusion-2\.1, ifcontrolnet"):
        model_of_architecture("stackmff-v4")
