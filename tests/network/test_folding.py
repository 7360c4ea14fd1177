from __future__ import annotations

import numpy as np
from torch import nn

from napari_gmff.network.folding import folded
from tests.network.helpers import assert_agree, plain_logits, random_stack


def test_folded_network_has_no_batchnorm_left(model):
    kinds = {type(module) for module in folded(model).modules()}
    assert nn.BatchNorm2d not in kinds
    assert nn.LayerNorm in kinds  # depends on the data, cannot be folded


def test_folded_network_gives_the_same_logits(model):
    stack = random_stack(3, 128, 256)
    assert_agree(plain_logits(folded(model), stack), plain_logits(model, stack))


def test_folding_the_authors_weights_keeps_the_index(authors_model):
    stack = random_stack(4, 128, 128)
    assert_agree(plain_logits(folded(authors_model), stack), plain_logits(authors_model, stack))


def test_folding_leaves_the_model_itself_alone(model):
    stack = random_stack(2, 128, 128)
    before = plain_logits(model, stack)
    folded(model)
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    np.testing.assert_array_equal(plain_logits(model, stack), before)
