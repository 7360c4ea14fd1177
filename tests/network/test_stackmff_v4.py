from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_gmff.network.stackmff_v4 import Block, CrossSliceAttention, SqueezeExcite, StackMFFV4
from tests.network.helpers import evaluated_logits, plain_logits, random_stack

REFERENCES = ["keyboard_2x128x128", "keyboard_8x256x512", "keyboard_32x128x256", "noise_5x128x256"]


def reference(shared_dir: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return stack in 0...1, logits and index of the authors' own code."""
    with np.load(shared_dir / "reference" / f"v4_{name}.npz") as file:
        return file["stack"].astype(np.float32) / 255, file["logits"], file["index"]


def assert_parity(found: np.ndarray, logits: np.ndarray, index: np.ndarray) -> None:
    assert np.abs(found - logits).max() <= 1e-3 * np.ptp(logits)
    assert (found.argmax(0) == index).mean() >= 0.9999


def test_network_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in StackMFFV4().parameters()) == 938_416


@pytest.mark.parametrize("name", REFERENCES)
def test_plain_network_repeats_the_authors_results(name, shared_dir, authors_model):
    stack, logits, index = reference(shared_dir, name)
    assert_parity(plain_logits(authors_model, stack), logits, index)


@pytest.mark.parametrize(
    ("name", "tile_px"),
    [(name, None) for name in REFERENCES]
    + [("keyboard_8x256x512", 64), ("keyboard_8x256x512", 200), ("noise_5x128x256", 100)],
)
def test_evaluator_repeats_the_authors_results(name, tile_px, shared_dir, authors_model):
    stack, logits, index = reference(shared_dir, name)
    assert_parity(evaluated_logits(authors_model, stack, tile_px=tile_px), logits, index)


@pytest.mark.parametrize("n_slices", [2, 3, 7])
def test_permuting_slices_permutes_the_logits(model, n_slices):
    stack = random_stack(n_slices, 128, 128)
    order = np.random.default_rng(n_slices).permutation(n_slices)
    logits = plain_logits(model, stack)
    assert np.ptp(logits, axis=0).max() > 0.01 * np.ptp(logits)  # slices do differ
    np.testing.assert_allclose(
        plain_logits(model, np.ascontiguousarray(stack[order])),
        logits[order],
        atol=1e-5 * np.ptp(logits),
        rtol=0,
    )


def test_stacks_of_a_batch_do_not_mix(model):
    first, second = random_stack(2, 128, 128, seed=1), random_stack(2, 128, 128, seed=2)
    with torch.inference_mode():
        both = model(torch.from_numpy(np.stack([first, second]))).numpy()
    for found, stack in zip(both, (first, second), strict=True):
        expected = plain_logits(model, stack)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.ptp(expected), rtol=0)


def test_slices_exchange_what_they_hold(model):
    stack = random_stack(3, 128, 128)
    changed = stack.copy()
    changed[2] = changed[2, ::-1]
    # The first slice is the same, but its rivals are not.
    assert np.abs(plain_logits(model, stack)[0] - plain_logits(model, changed)[0]).max() > 1e-4


def test_network_does_not_change_its_input(model):
    stack = random_stack(2, 128, 128)
    before = stack.copy()
    plain_logits(model, stack)
    evaluated_logits(model, stack)
    np.testing.assert_array_equal(stack, before)


def test_attention_equals_torch_multihead_attention():
    torch.manual_seed(0)
    ours = CrossSliceAttention().transformer[0]
    theirs = torch.nn.TransformerEncoderLayer(
        8, 4, 32, dropout=0, activation="gelu", batch_first=True, norm_first=True
    )
    pairs = {
        "norm1": theirs.norm1,
        "norm2": theirs.norm2,
        "out": theirs.self_attn.out_proj,
        "feed1": theirs.linear1,
        "feed2": theirs.linear2,
    }
    for name, module in pairs.items():
        module.load_state_dict(getattr(ours, name).state_dict())
    theirs.self_attn.in_proj_weight.data = ours.qkv.weight.data
    theirs.self_attn.in_proj_bias.data = ours.qkv.bias.data
    tokens = torch.randn(30, 6, 8)
    torch.testing.assert_close(ours(tokens), theirs(tokens), atol=1e-5, rtol=1e-5)


def test_gate_scales_channels_by_their_means_over_the_whole_input():
    torch.manual_seed(0)
    gate = SqueezeExcite(4, 2)
    x = torch.rand(1, 4, 8, 12)
    with torch.inference_mode():
        scale = gate(x) / x
        other = gate(3 * x) / (3 * x)
    torch.testing.assert_close(scale, scale[:, :, :1, :1].expand_as(scale))
    assert (scale - other).abs().max() > 1e-3


@pytest.mark.parametrize(("resize", "factor"), [("down", 0.5), ("up", 2), ("keep", 1)])
def test_block_changes_scale_as_asked(resize, factor):
    out = Block(6, 3, resize)(torch.rand(1, 6, 8, 12))
    assert out.shape == (1, 3, 8 * factor, 12 * factor)


def test_gradients_flow_in_training(model):
    # In-place activations must not spoil what back-propagation needs.
    network = StackMFFV4().train()
    network.load_state_dict(model.state_dict())
    network(torch.from_numpy(random_stack(2, 128, 128))[None]).square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
