from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_gmff.errors import WeightsError
from napari_gmff.restoration.diffusion.contexts import (
    checked_contexts,
    compute_contexts,
    token_ids,
)

PREFIX = "cond_stage_model.model."
WIDTH, N_LAYERS = 128, 3


@pytest.fixture(scope="module")
def tower() -> dict[str, Tensor]:
    """Return a small text tower in OpenCLIP's layout with random values."""
    generator = torch.Generator().manual_seed(7)

    def random(*shape: int, scale: float = 0.1) -> Tensor:
        return scale * torch.randn(*shape, generator=generator)

    state = {
        "token_embedding.weight": random(49408, WIDTH),
        "positional_embedding": random(77, WIDTH),
        "ln_final.weight": 1 + random(WIDTH),
        "ln_final.bias": random(WIDTH),
    }
    for number in range(N_LAYERS):
        place = f"transformer.resblocks.{number}."
        state |= {
            f"{place}ln_1.weight": 1 + random(WIDTH),
            f"{place}ln_1.bias": random(WIDTH),
            f"{place}ln_2.weight": 1 + random(WIDTH),
            f"{place}ln_2.bias": random(WIDTH),
            f"{place}attn.in_proj_weight": random(3 * WIDTH, WIDTH),
            f"{place}attn.in_proj_bias": random(3 * WIDTH),
            f"{place}attn.out_proj.weight": random(WIDTH, WIDTH),
            f"{place}attn.out_proj.bias": random(WIDTH),
            f"{place}mlp.c_fc.weight": random(4 * WIDTH, WIDTH),
            f"{place}mlp.c_fc.bias": random(4 * WIDTH),
            f"{place}mlp.c_proj.weight": random(WIDTH, 4 * WIDTH),
            f"{place}mlp.c_proj.bias": random(WIDTH),
        }
    return {PREFIX + name: tensor for name, tensor in state.items()}


def _embedded_by_hand(tower: dict[str, Tensor], ids: Tensor, n_layers: int) -> Tensor:
    """Embed one prompt with plain formulas: pre-norm attention with heads of 64, then GELU."""
    state = {name.removeprefix(PREFIX): tensor.double() for name, tensor in tower.items()}
    x = state["token_embedding.weight"][ids] + state["positional_embedding"]

    def norm(values: Tensor, name: str) -> Tensor:
        return F.layer_norm(values, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"])

    for number in range(n_layers):
        place = f"transformer.resblocks.{number}."
        projected = (
            norm(x, f"{place}ln_1") @ state[f"{place}attn.in_proj_weight"].T
            + state[f"{place}attn.in_proj_bias"]
        )
        query, key, value = (
            one.reshape(77, WIDTH // 64, 64).transpose(0, 1) for one in projected.chunk(3, dim=-1)
        )
        logits = query @ key.transpose(1, 2) / 8
        logits += torch.full((77, 77), -torch.inf).triu(1)
        attended = (logits.softmax(-1) @ value).transpose(0, 1).reshape(77, WIDTH)
        x = x + attended @ state[f"{place}attn.out_proj.weight"].T
        x = x + state[f"{place}attn.out_proj.bias"]
        hidden = (
            norm(x, f"{place}ln_2") @ state[f"{place}mlp.c_fc.weight"].T
            + state[f"{place}mlp.c_fc.bias"]
        )
        x = x + F.gelu(hidden) @ state[f"{place}mlp.c_proj.weight"].T
        x = x + state[f"{place}mlp.c_proj.bias"]
    return norm(x, "ln_final")


def test_prompts_are_a_start_their_tokens_an_end_and_zeros():
    assert token_ids(()).tolist() == [49406, 49407] + [0] * 75
    assert token_ids((5, 6)).tolist() == [49406, 5, 6, 49407] + [0] * 73


def test_prompts_are_embedded_as_by_the_formulas(tower):
    from napari_gmff.restoration.diffusion.contexts import NEGATIVE_TOKENS

    contexts = compute_contexts(tower, n_layers=2)  # all but the last, as for the real one
    for name, prompt in (("positive", ()), ("negative", NEGATIVE_TOKENS)):
        expected = _embedded_by_hand(tower, token_ids(prompt), 2)
        assert contexts[name].dtype == torch.float16
        torch.testing.assert_close(contexts[name].double(), expected, atol=4e-3, rtol=2e-3)
    assert (contexts["positive"] - contexts["negative"]).abs().max() > 0.1


def test_a_file_without_its_text_tower_is_refused(base_state):
    with pytest.raises(WeightsError, match=r"text tower: missing cond_stage_model\.model\.token"):
        compute_contexts(base_state)


def test_a_tower_with_too_few_layers_is_refused(tower):
    with pytest.raises(WeightsError, match=r"missing cond_stage_model\.model\..*resblocks\.3"):
        compute_contexts(tower)


def test_a_tower_of_another_shape_is_refused(tower):
    name = f"{PREFIX}transformer.resblocks.1.mlp.c_fc.bias"
    with pytest.raises(WeightsError, match=r"mlp\.c_fc\.bias must have shape \(512,\)"):
        compute_contexts(tower | {name: torch.zeros(3)}, n_layers=2)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda one: {"positive": one}, "missing negative"),
        (lambda one: {"positive": one, "negative": one[:5]}, r"negative must be \(77, 64\)"),
        (lambda one: {"positive": one / 0, "negative": one}, "positive must be"),
    ],
)
def test_wrong_embeddings_are_refused(damage, message):
    with pytest.raises(WeightsError, match=message):
        checked_contexts(damage(torch.rand(77, 64)), (77, 64))


def test_embeddings_may_have_a_batch_axis_and_any_precision():
    tensor = torch.rand(1, 77, 64).half()
    checked = checked_contexts({"positive": tensor, "negative": tensor}, (77, 64))
    assert checked["negative"].shape == (77, 64)
    assert checked["negative"].dtype == torch.float32
