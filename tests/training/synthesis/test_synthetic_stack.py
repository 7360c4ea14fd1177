import numpy as np

from napari_gmff.training.synthesis.synthetic_stack import ordered_stack, texture_mask


def make(n_slices=4, side=8):
    stack = np.arange(n_slices)[:, None, None] * np.ones((1, side, side))
    depth = np.tile(np.linspace(-0.3, n_slices - 0.7, side), (side, 1))
    return ordered_stack(stack, depth, stack[0], "ramp")


def test_the_index_is_the_slice_nearest_in_depth_and_never_outside():
    scene = make()
    assert scene.index.min() == 0 and scene.index.max() == 3
    inside = (scene.depth >= 0) & (scene.depth <= 3)
    assert (np.abs(scene.index - scene.depth) <= 0.5)[inside].all()
    assert scene.ordered


def test_rearranging_slices_takes_the_truth_along():
    scene = make()
    mixed = scene.rearranged([2, 0, 3, 1])
    assert mixed.order == (2, 0, 3, 1)
    assert not mixed.ordered
    before = np.take_along_axis(scene.stack, scene.index[None], 0)
    assert np.array_equal(np.take_along_axis(mixed.stack, mixed.index[None], 0), before)
    assert np.array_equal(mixed.depth, scene.depth)
    assert mixed.rearranged(np.argsort(mixed.order)).ordered


def test_texture_is_found_where_there_is_fine_structure():
    rng = np.random.default_rng(0)
    sharp = np.full((64, 64), 0.5, np.float32)
    sharp[:, 32:] += 0.2 * rng.standard_normal((64, 32)).astype(np.float32)
    mask = texture_mask(sharp)
    assert mask[:, 40:].all()
    assert not mask[:, :20].any()
