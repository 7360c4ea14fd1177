from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax

from napari_gmff.scenes import relief_scene
from napari_gmff.scores import ScoreKind
from napari_gmff.selection import Selection, SliceSelector, gather, refined_depth

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 4))
# Few distinct values, so that ties are common, and some far apart.
VALUES = st.sampled_from([-400.0, -3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 60.0, 1e6])
STACKS = SHAPES.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=VALUES))


def select(
    scores: np.ndarray,
    invalid: np.ndarray | None = None,
    *,
    ordered: bool = False,
) -> Selection:
    """Fold scores (N, h, w) in."""
    selector = SliceSelector(scores.shape[1:], ordered=ordered)
    for k, plane in enumerate(scores):
        selector.add(plane, None if invalid is None else invalid[k])
    return selector.finish()


def at(scores: np.ndarray, position: np.ndarray, offset: int) -> np.ndarray:
    """Return scores beside the chosen ones, NaN beyond the ends."""
    padded = np.pad(scores, ((1, 1), (0, 0), (0, 0)), constant_values=np.nan)
    return np.take_along_axis(padded, position[None] + 1 + offset, 0)[0]


@settings(deadline=None)
@given(STACKS)
def test_choice_is_the_highest_score_and_on_ties_the_lower_slice(scores):
    np.testing.assert_array_equal(select(scores).position, scores.argmax(0))


@settings(deadline=None)
@given(STACKS)
def test_neighbours_are_those_of_the_chosen_slice(scores):
    found = select(scores)
    position = scores.argmax(0)
    np.testing.assert_array_equal(found.before, at(scores, position, -1))
    np.testing.assert_array_equal(found.best, scores.max(0))
    np.testing.assert_array_equal(found.after, at(scores, position, +1))


@settings(deadline=None)
@given(STACKS)
def test_confidence_follows_its_formula(scores):
    n_slices = len(scores)
    confidence = select(scores).confidence
    assert confidence.dtype == np.float32
    assert ((confidence >= 0) & (confidence <= 1)).all()
    if n_slices == 1:
        assert (confidence == 0).all()
        return
    share = softmax(scores.astype(np.float64), axis=0).max(0)
    np.testing.assert_allclose(confidence, (n_slices - 1 / share) / (n_slices - 1), atol=1e-6)


@settings(deadline=None)
@given(STACKS)
def test_in_an_ordered_stack_neighbours_of_the_best_slice_count_a_quarter(scores):
    confidence = select(scores, ordered=True).confidence
    offset = np.abs(np.arange(len(scores))[:, None, None] - scores.argmax(0))
    weight = np.select([offset == 0, offset == 1], [0.0, 0.25], 1.0)
    relative = np.exp(scores.astype(np.float64) - scores.max(0))
    if len(scores) == 1:
        assert (confidence == 0).all()
        return
    expected = 1 - (weight * relative).sum(0) / weight.sum(0)
    np.testing.assert_allclose(confidence, expected, atol=1e-6)


def test_a_rival_far_away_costs_more_confidence_than_one_next_to_the_best():
    scores = np.full((6, 1, 2), -5.0, np.float32)
    scores[2] = 0
    scores[3, 0, 0] = scores[5, 0, 1] = -0.5
    near, far = select(scores, ordered=True).confidence[0]
    assert near > far + 0.1
    unordered = select(scores).confidence[0]
    assert unordered[0] == pytest.approx(unordered[1])


@settings(deadline=None)
@given(st.integers(2, 7), st.integers(0, 100))
def test_confidence_is_the_same_from_top_to_bottom_and_back(n_slices, seed):
    scores = np.random.default_rng(seed).standard_normal((n_slices, 5, 6)).astype(np.float32)
    down, up = select(scores, ordered=True), select(scores[::-1], ordered=True)
    np.testing.assert_allclose(down.confidence, up.confidence, atol=1e-6)


def test_confidence_is_0_where_all_slices_are_alike_and_1_where_one_stands_out():
    scores = np.zeros((4, 1, 2), np.float32)
    scores[2, 0, 1] = 1000
    assert select(scores).confidence.tolist() == [[0.0, 1.0]]


def test_confidence_counts_only_slices_that_are_valid_at_the_pixel():
    scores = np.array([[[3.0, 3.0]], [[1.0, 1.0]], [[1.0, 1.0]]], np.float32)
    invalid = np.array([[[0, 0]], [[1, 0]], [[1, 1]]], bool)
    selector = SliceSelector((1, 2))
    for plane, mask in zip(scores, invalid, strict=True):
        selector.add(plane, mask)
    forced, compared = selector.finish().confidence[0]
    assert forced == 0
    assert compared == pytest.approx(1 - np.exp(-2.0))


def test_confidence_rises_with_the_lead_of_the_best():
    leads = np.linspace(0, 8, 20, dtype=np.float32)
    scores = np.zeros((3, 1, 20), np.float32)
    scores[1, 0] = leads
    assert (np.diff(select(scores).confidence[0]) > 0).all()


@settings(deadline=None)
@given(st.integers(2, 7), st.integers(0, 100))
def test_permuting_slices_permutes_the_choice_and_nothing_else(n_slices, seed):
    rng = np.random.default_rng(seed)
    scores = (20 * rng.standard_normal((n_slices, 5, 6))).astype(np.float32)
    order = rng.permutation(n_slices)
    plain, permuted = select(scores), select(scores[order])
    np.testing.assert_array_equal(order[permuted.position], plain.position)
    np.testing.assert_array_equal(permuted.best, plain.best)
    np.testing.assert_allclose(permuted.confidence, plain.confidence, atol=1e-6)


@settings(deadline=None)
@given(STACKS, st.data())
def test_invalid_pixels_are_never_chosen_unless_all_are(scores, data):
    invalid = data.draw(hnp.arrays(bool, scores.shape))
    found = select(scores, invalid)
    chosen = np.take_along_axis(invalid, found.position[None].astype(np.intp), 0)[0]
    np.testing.assert_array_equal(chosen, invalid.all(0))
    allowed = np.where(invalid, -np.inf, scores)
    np.testing.assert_array_equal(found.position, allowed.argmax(0))
    assert np.isfinite(found.confidence).all()
    assert (found.confidence[invalid.all(0)] == 0).all()
    # An invalid neighbour is no neighbour to interpolate with.
    for side, offset in ((found.before, -1), (found.after, 1)):
        expected = at(np.where(invalid, np.nan, scores), found.position.astype(np.intp), offset)
        known = ~invalid.all(0)
        np.testing.assert_array_equal(side[known], expected[known])


def test_refined_depth_is_finite_where_everything_is_invalid():
    scores = np.zeros((3, 1, 2), np.float32)
    invalid = np.zeros(scores.shape, bool)
    invalid[:, 0, 0] = True
    depth = refined_depth(select(scores, invalid), np.arange(3.0), ScoreKind.LOGITS)
    assert np.isfinite(depth).all()


SPACINGS = {
    "even": np.arange(6) * 0.5,
    "uneven": np.array([0.0, 0.4, 1.0, 1.3, 2.1, 2.6]),
    "falling": np.array([10.0, 9.5, 8.6, 8.2, 7.5, 7.0]),
}


def peak_depths(z: np.ndarray) -> np.ndarray:
    """Return depths between the second and the last slice but one, not half-way between two."""
    low, high = np.sort(z)[[1, -2]]
    depths = np.linspace(low, high, 61)[1:-1]
    distance = np.sort(np.abs(depths[:, None] - z), axis=1)
    return depths[distance[:, 1] - distance[:, 0] > 1e-3]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("kind", list(ScoreKind))
def test_refined_depth_recovers_the_peak_of_a_synthetic_curve(spacing, kind):
    z = SPACINGS[spacing]
    depths = peak_depths(z)
    distance = np.abs(z[:, None] - depths)
    curve = -3 * distance**2 if kind is ScoreKind.LOG_ENERGY else -7 * distance
    scores = (100 + curve)[:, None].astype(np.float32)
    selection = select(scores)
    found = refined_depth(selection, z, kind)[0]
    # Where spacing is uneven, the highest of sampled values is still the nearest slice.
    np.testing.assert_array_equal(selection.position[0], distance.argmin(0))
    np.testing.assert_allclose(found, depths, atol=2e-4)
    assert found.dtype == np.float32


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("kind", list(ScoreKind))
def test_refined_depth_goes_at_most_half_way_to_a_neighbour(spacing, kind):
    z = SPACINGS[spacing]
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((len(z), 40, 40)).astype(np.float32)
    selection = select(scores)
    depth = refined_depth(selection, z, kind)
    k = selection.position
    ends = np.stack([z[np.maximum(k - 1, 0)], z[np.minimum(k + 1, len(z) - 1)]])
    half_way = (ends + z[k]) / 2
    assert (depth >= half_way.min(0) - 1e-5).all()
    assert (depth <= half_way.max(0) + 1e-5).all()
    is_end = (k == 0) | (k == len(z) - 1)
    np.testing.assert_array_equal(depth[is_end], z[k].astype(np.float32)[is_end])
    assert (depth != z[k].astype(np.float32))[~is_end].mean() > 0.9


@pytest.mark.parametrize("kind", list(ScoreKind))
def test_depth_stays_at_the_slice_where_scores_have_no_peak(kind):
    z = np.arange(3.0)
    flat = select(np.zeros((3, 2, 2), np.float32))
    np.testing.assert_array_equal(refined_depth(flat, z, kind), 0)
    one = select(np.zeros((1, 2, 2), np.float32))
    np.testing.assert_array_equal(refined_depth(one, np.array([4.0]), kind), 4)
    two = select(np.stack([np.zeros((2, 2)), np.ones((2, 2))]).astype(np.float32))
    np.testing.assert_array_equal(refined_depth(two, z[:2], kind), 1)


def depth_errors(engine_name: str, weights: str | None) -> tuple[float, float]:
    """Return the mean error of unrefined and refined depth in slices on smooth relief."""
    import napari_gmff

    scene = relief_scene(256, 8, step=False)
    source = napari_gmff.read_stack(scene.stack, axes="ZYX")
    with napari_gmff.fuse(
        source, engine=engine_name, weights=weights, slice_order="ordered", threads=1
    ) as result:
        index = np.squeeze(result.focus_index.compute()).astype(float)
        depth = np.squeeze(result.depth.compute())
    truth, where = scene.depth_slices, scene.textured
    return tuple(float(np.abs(found - truth)[where].mean()) for found in (index, depth))


def test_refining_halves_the_depth_error_of_the_laplacian():
    unrefined, refined = depth_errors("laplacian-energy", None)
    assert refined <= 0.6 * unrefined


def test_refining_halves_the_depth_error_of_the_network(shared_dir):
    weights = shared_dir / "weights" / "stackmffv4.pth"
    unrefined, refined = depth_errors("stackmff-v4", str(weights))
    assert refined <= 0.6 * unrefined


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_gathered_pixels_equal_their_source_bit_for_bit(dtype):
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (2, 5, 8, 9 * np.dtype(dtype).itemsize), np.uint8).view(dtype)
    position = rng.integers(0, 5, (8, 9)).astype(np.int32)
    out = np.zeros((2, 8, 9), dtype)
    for k in range(5):
        gather(volume[:, k], position, k, out)
    expected = np.take_along_axis(volume, position[None, None].astype(np.intp), 1)[:, 0]
    assert out.tobytes() == expected.tobytes()  # NaN payloads too
