"""Embedded prompts are bound to their base model, and never trusted when changed."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_gmff.errors import ConsentError, ParameterError, WeightsError
from napari_gmff.restoration.models.consent import withdraw_consent
from napari_gmff.restoration.models.obtain import import_restoration_model
from napari_gmff.restoration.models.prompts import (
    PROMPT_CARD,
    PROMPT_FILE,
    compute_prompts,
    has_prompts,
    import_prompts,
    load_prompts,
)

WIDTH = 64
N_LAYERS = 24


@pytest.fixture
def with_base(agreed, tiny_base):
    """Return a store with a tiny base model under the name mine, without prompts."""
    import_restoration_model(tiny_base, agreed, name="mine")
    return agreed


@pytest.fixture(scope="session")
def base_with_text(tiny_base, tmp_path_factory):
    """Return the tiny base model with a random text tower, in the layout of OpenCLIP."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.05

    tower = {
        "token_embedding.weight": random(49408, WIDTH),
        "positional_embedding": random(77, WIDTH),
        "ln_final.weight": torch.ones(WIDTH),
        "ln_final.bias": torch.zeros(WIDTH),
    }
    for number in range(N_LAYERS):
        block = f"transformer.resblocks.{number}."
        for norm in ("ln_1", "ln_2"):
            tower |= {
                f"{block}{norm}.weight": torch.ones(WIDTH),
                f"{block}{norm}.bias": random(WIDTH),
            }
        tower |= {
            f"{block}attn.in_proj_weight": random(3 * WIDTH, WIDTH),
            f"{block}attn.in_proj_bias": random(3 * WIDTH),
            f"{block}attn.out_proj.weight": random(WIDTH, WIDTH),
            f"{block}attn.out_proj.bias": random(WIDTH),
            f"{block}mlp.c_fc.weight": random(4 * WIDTH, WIDTH),
            f"{block}mlp.c_fc.bias": random(4 * WIDTH),
            f"{block}mlp.c_proj.weight": random(WIDTH, 4 * WIDTH),
            f"{block}mlp.c_proj.bias": random(WIDTH),
        }
    state = {f"cond_stage_model.model.{name}": tensor for name, tensor in tower.items()}
    path = tmp_path_factory.mktemp("base") / "with-text.safetensors"
    save_file(load_file(tiny_base) | state, path)
    return path


def test_imported_prompts_are_those_of_the_reference(with_base, tiny_prompts):
    assert not has_prompts("mine", with_base)
    card = import_prompts(tiny_prompts, "mine", with_base)
    assert has_prompts("mine", with_base)
    assert card.base_sha256 == with_base.card("mine").sha256
    assert card.source == "imported from prompts.safetensors"
    loaded, given = load_prompts("mine", with_base), load_file(tiny_prompts)
    for name in ("positive", "negative"):
        assert torch.equal(loaded[name], given[f"context_{name}"][0])
    with_base.verify("mine")


def test_prompts_are_computed_from_the_text_tower_in_the_file(agreed, base_with_text):
    import_restoration_model(base_with_text, agreed, name="mine")
    card = compute_prompts("mine", agreed)
    loaded = load_prompts("mine", agreed)
    assert card.source == "computed from mine"
    assert loaded["positive"].shape == loaded["negative"].shape == (77, WIDTH)
    assert not torch.equal(loaded["positive"], loaded["negative"])
    # Both begin with the same token, which sees nothing of those behind it.
    assert torch.allclose(loaded["positive"][0], loaded["negative"][0])
    assert compute_prompts("mine", agreed).sha256 == card.sha256


def test_a_file_without_text_tower_says_that_prompts_can_be_imported(with_base):
    with pytest.raises(WeightsError, match=r"cond_stage_model.*weights prompts mine --file FILE"):
        compute_prompts("mine", with_base)
    assert not has_prompts("mine", with_base)


def test_changed_prompts_are_found(with_base, tiny_prompts):
    import_prompts(tiny_prompts, "mine", with_base)
    path = with_base.folder("mine") / PROMPT_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"contexts\.safetensors: sha256 must be .*computes"):
        load_prompts("mine", with_base)


def test_prompts_of_another_base_model_are_found(with_base, tiny_prompts):
    import_prompts(tiny_prompts, "mine", with_base)
    path = with_base.folder("mine") / PROMPT_CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_sha256": "0" * 64}))
    with pytest.raises(WeightsError, match="belongs to a base model with sha256 0000"):
        load_prompts("mine", with_base)
    path.write_text("{")
    with pytest.raises(WeightsError, match=r"contexts\.json: missing or damaged"):
        load_prompts("mine", with_base)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"positive": torch.ones(77, 8)}, "need negative, found"),
        ({"positive": torch.ones(76, 8), "negative": torch.ones(77, 8)}, r"shape \(77, width\)"),
        ({"positive": torch.ones(77, 8), "negative": torch.ones(77, 9)}, "of one shape"),
        (
            {"positive": torch.ones(77, 8), "negative": torch.full((77, 8), torch.nan)},
            "must be finite",
        ),
    ],
)
def test_files_of_something_else_are_refused(with_base, tmp_path, tensors, message):
    save_file(tensors, tmp_path / "p.safetensors")
    with pytest.raises(WeightsError, match=rf"p\.safetensors: .*{message}"):
        import_prompts(tmp_path / "p.safetensors", "mine", with_base)
    assert not has_prompts("mine", with_base)


def test_prompts_need_a_base_model_that_is_there_and_agreed_to(agreed, tiny_control, tiny_prompts):
    import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
    with pytest.raises(ParameterError, match="is DiffBIR v2; prompts belong to the base model"):
        import_prompts(tiny_prompts, "diffbir-v2", agreed)
    with pytest.raises(WeightsError, match="is not on this computer"):
        import_prompts(tiny_prompts, "sd21-base", agreed)
    withdraw_consent("sd21-base", agreed)
    with pytest.raises(ConsentError):
        import_prompts(tiny_prompts, "sd21-base", agreed)
