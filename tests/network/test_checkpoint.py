from __future__ import annotations

import pytest
import torch

from napari_gmff.errors import WeightsError
from napari_gmff.network.checkpoint import (
    authors_from_ours,
    check_ours,
    is_ours,
    key_table,
    load_model,
    ours_from_authors,
)
from napari_gmff.network.stackmff_v4 import StackMFFV4
from tests.network.helpers import plain_logits, random_stack


def test_key_table_names_every_entry_of_the_state_once(model):
    table = key_table()
    assert set(table) == set(model.state_dict())
    assert len(set(table.values())) == len(table)


def test_key_table_names_exactly_the_keys_of_the_authors_checkpoint(authors_checkpoint):
    state = torch.load(authors_checkpoint, map_location="cpu", weights_only=True)
    assert set(key_table().values()) == set(state)


def test_state_survives_the_way_to_the_authors_layout_and_back(model):
    ours = model.state_dict()
    theirs = authors_from_ours(ours)
    assert not is_ours(theirs)
    back = ours_from_authors(theirs)
    assert is_ours(back)
    assert list(back) == list(ours)
    assert all(torch.equal(back[name], ours[name]) for name in ours)


def test_loaded_model_computes_what_the_first_one_does(model):
    stack = random_stack(2, 128, 128)
    copy = load_model(ours_from_authors(authors_from_ours(model.state_dict())))
    assert not copy.training
    assert (plain_logits(copy, stack) == plain_logits(model, stack)).all()


@pytest.mark.parametrize(
    "key",
    [
        "feature_extraction.firstconv.weight",
        "layer_interaction.layer_interaction_depth.layers.1.attn.in_proj_bias",
    ],
)
def test_missing_key_is_named(model, key):
    state = authors_from_ours(model.state_dict())
    del state[key]
    with pytest.raises(WeightsError, match="missing") as caught:
        ours_from_authors(state)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


def test_key_that_is_not_expected_is_named(model):
    state = model.state_dict() | {"backbone.extra.weight": torch.zeros(1)}
    with pytest.raises(WeightsError, match=r"not expected.*backbone\.extra\.weight"):
        check_ours(state)


def test_wrong_shape_is_named_with_what_was_found(model):
    state = authors_from_ours(model.state_dict())
    state["feature_extraction.firstconv.weight"] = torch.zeros(16, 3, 3, 3)
    with pytest.raises(WeightsError, match=r"\(16, 1, 3, 3\).*found \(16, 3, 3, 3\)"):
        ours_from_authors(state)


def test_state_of_another_network_names_a_few_keys_and_counts_the_rest():
    state = torch.nn.Sequential(torch.nn.Linear(2, 2)).state_dict()
    with pytest.raises(WeightsError, match=r"missing .* and \d+ more") as caught:
        ours_from_authors(state)
    assert len(str(caught.value)) < 600


def test_loading_a_model_draws_no_random_numbers(model):
    before = torch.random.get_rng_state()
    load_model(model.state_dict())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert isinstance(load_model(model.state_dict()), StackMFFV4)
