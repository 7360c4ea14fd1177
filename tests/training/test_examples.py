from dataclasses import replace

import numpy as np
import pytest

from napari_gmff.training.config import LossConfig
from napari_gmff.training.examples import make_example, targets
from napari_gmff.training.synthesis.camera import with_distractors
from napari_gmff.training.synthesis.synthetic_stack import ordered_stack

LOSS = LossConfig()


def make(n_slices=5, side=16, depth=None, known=None):
    rng = np.random.default_rng(0)
    stack = rng.random((n_slices, side, side), np.float32)
    if depth is None:
        depth = np.tile(np.linspace(0, n_slices - 1, side, dtype=np.float32), (side, 1))
    return ordered_stack(stack, depth, stack[0], "noise", known=known)


def test_targets_are_probabilities_with_the_true_slice_ahead():
    sample = make()
    target = targets(sample, 0.3)
    np.testing.assert_allclose(target.sum(0), 1, rtol=1e-6)
    assert target.min() >= 0
    assert np.array_equal(target.argmax(0), sample.index)


def test_without_a_neighbours_share_the_target_is_the_true_slice_alone():
    sample = make()
    target = targets(sample, 0.0)
    assert set(np.unique(target)) == {0.0, 1.0}
    assert np.array_equal(target.argmax(0), sample.index)


def test_neighbours_share_by_nearness():
    sample = make(depth=np.full((16, 16), 2.25, np.float32))
    target = targets(sample, 0.4)[:, 0, 0]
    np.testing.assert_allclose(target, [0, 0, 0.6 + 0.4 * 0.75, 0.4 * 0.25, 0], atol=1e-6)


def test_copies_of_a_slice_share_its_probability_and_blank_slices_get_none():
    more = with_distractors(make(4), 1, 2, np.random.default_rng(1))
    target = targets(more, 0.3)
    order = np.array(more.order)
    assert target[order == -1].max() == 0
    for place in range(4):
        copies = target[order == place]
        assert np.array_equal(copies[0], copies[-1])
    np.testing.assert_allclose(target.sum(0), 1, rtol=1e-6)


def test_where_nothing_is_known_all_slices_are_alike():
    known = np.zeros((16, 16), bool)
    known[:8] = True
    target = targets(make(known=known), 0.3)
    np.testing.assert_allclose(target[:, 8:], 0.2, rtol=1e-6)
    assert (target[:, :8].max(0) > 0.5).all()


def test_weights_have_mean_one_and_favour_texture():
    known = np.zeros((16, 16), bool)
    known[:8] = True
    example = make_example(make(known=known), LOSS, None)
    assert example.weight.mean() == pytest.approx(1, rel=1e-5)
    assert example.weight[:8].mean() > 5 * example.weight[8:].mean()


def test_detail_counts_more_but_never_without_bound():
    sharp = np.zeros((32, 32), np.float32)
    sharp[:, ::2] = 0.02
    sharp[:, :4:2] = 1  # a little very strong detail
    stack = np.tile(sharp, (3, 1, 1))
    sample = ordered_stack(stack, np.ones((32, 32), np.float32), sharp, "stripes")
    plain = make_example(sample, LossConfig(detail_weight=0, flat_weight=1), None).weight
    weight = make_example(sample, LossConfig(detail_weight=0.5, flat_weight=1), None).weight
    assert np.ptp(plain) == 0
    assert weight.mean() == pytest.approx(1, rel=1e-5)
    assert weight[:, 0].min() > 1.5 * weight[:, 20].max()
    assert weight.max() <= 3 * weight.min() + 1e-6  # 1 + 0.5 * 4 times


def test_what_is_seen_spans_about_zero_to_one_as_the_engine_scales_it():
    sample = make()
    dim = sample.with_stack(0.3 + 0.01 * sample.stack)
    a, b = make_example(sample, LOSS, None), make_example(dim, LOSS, None)
    np.testing.assert_allclose(a.seen, b.seen, atol=1e-3)
    assert -0.01 < a.seen.min() < 0.01 and 0.99 < a.seen.max() < 1.01


def test_seen_ranges_vary_by_seed_within_the_engines_limits():
    examples = [make_example(make(), LOSS, np.random.default_rng(seed)) for seed in range(40)]
    spans = {round(float(np.ptp(example.seen)), 2) for example in examples}
    assert len(spans) > 5
    assert all(-1 <= e.seen.min() and e.seen.max() <= 2 for e in examples)
    assert all(e.seen.dtype == np.float32 for e in examples)


def test_a_constant_stack_makes_a_finite_example():
    sample = make()
    example = make_example(sample.with_stack(np.zeros_like(sample.stack)), LOSS, None)
    assert np.isfinite(example.seen).all()


def test_a_kind_may_spread_its_target_over_more_slices_the_nearest_first():
    sample = ordered_stack(
        np.zeros((5, 1, 2)), np.array([[2.0, 0.0]]), np.zeros((1, 2)), "brightfield"
    )
    spread = LossConfig(neighbour_share=0.0, spread_slices={"brightfield": 2.0})
    target = make_example(sample, spread, None).target
    np.testing.assert_allclose(target[:, 0, 0], [0, 0.25, 0.5, 0.25, 0])
    np.testing.assert_allclose(target[:, 0, 1], [2 / 3, 1 / 3, 0, 0, 0], rtol=1e-6)
    other = make_example(replace(sample, kind="recipe"), spread, None).target
    np.testing.assert_array_equal(other[:, 0, 0], [0, 0, 1, 0, 0])
