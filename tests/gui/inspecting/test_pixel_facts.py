"""What the inspector says of a pixel is what the core says."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.inspecting.pixel_facts import (
    RADIUS_PX,
    curves_of,
    engine_words,
    facts_of,
    fused_part,
    surroundings_of,
    would_be_words,
)
from napari_gmff.errors import FusionCancelled, ParameterError
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


def test_facts_are_those_of_the_result(viewer):
    made = fused_set(viewer, z_positions_um=[9.0, 7.0, 5.0, 3.0])
    index, depth = made.result.focus_index.compute(), made.result.depth.compute()
    confidence, fused = made.result.confidence.compute(), made.result.fused.compute()
    for pixel in ((0, 0, 0), (0, 50, 100), (0, 95, 127)):
        facts = facts_of(made, pixel)
        at = pixel[1:]
        assert facts.number == index[at]
        assert facts.z_um == made.result.z_positions[index[at]]
        assert facts.depth == depth[at]
        assert facts.confidence == confidence[at]
        np.testing.assert_array_equal(facts.values, [fused[at]])


def test_time_points_and_channels_are_told_apart(viewer):
    made = fused_set(viewer, stack_of(textured((3, 2, 4, 60, 70)), "TCZYX"))
    facts = facts_of(made, (2, 10, 20))
    assert facts.number == made.result.focus_index.compute()[2, 10, 20]
    np.testing.assert_array_equal(facts.values, made.result.fused.compute()[2, :, 10, 20])


def test_words_name_slice_z_depth_and_confidence(viewer):
    made = fused_set(viewer, slice_order="unordered")
    facts = facts_of(made, (0, 50, 5))
    assert facts.words == f"slice 0 · z 0 µm · confidence {facts.confidence:.2f}"
    made = fused_set(viewer)
    moved = np.abs(made.result.depth - made.result.depth_unrefined).compute()
    y, x = np.unravel_index(moved.argmax(), moved.shape)
    refined = facts_of(made, (0, int(y), int(x)))
    assert f" µm · depth {round(refined.depth, 3):.6g} µm · " in refined.words


def test_where_the_step_is_unknown_no_um_are_named(viewer):
    facts = facts_of(fused_set(viewer, stack_of(textured())), (0, 5, 5))
    assert facts.z_um is None
    assert "µm" not in facts.words


def test_curves_are_those_of_the_core(viewer):
    made = fused_set(viewer, stack_of(textured((6, 60, 70))), z_range=(2, 6))
    curves = curves_of(made.result, (0, 10, 20))
    np.testing.assert_array_equal(curves.numbers, [2, 3, 4, 5])
    np.testing.assert_array_equal(curves.scores, made.result.focus_curve(10, 20))
    np.testing.assert_array_equal(
        curves.intensities[0], made.stack.data[0, 0, 2:6, 10, 20].compute()
    )
    assert curves.numbers[curves.scores.argmax()] == facts_of(made, (0, 10, 20)).number


def test_curves_of_a_result_without_its_stack_are_refused(viewer):
    result = fused_set(viewer).result
    result.curves = None
    with pytest.raises(ParameterError, match="fuse it again"):
        curves_of(result, (0, 1, 1))
    with pytest.raises(ParameterError, match="fuse it again"):
        surroundings_of(result, (0, 1, 1), 0, np.zeros((1, 3, 3)))


def test_curves_nobody_waits_for_any_more_are_given_up(viewer):
    with pytest.raises(FusionCancelled):
        curves_of(fused_set(viewer).result, (0, 1, 1), lambda: True)


def test_another_slice_is_described_by_its_value_and_its_z(viewer):
    made = fused_set(viewer)
    facts, curves = facts_of(made, (0, 50, 5)), curves_of(made.result, (0, 50, 5))
    there, here = (made.stack.data[0, 0, k, 50, 5].compute() for k in (3, 0))
    assert would_be_words(made.result, facts, curves, 3) == (
        f"From slice 3 it would be {there} instead of {here}, at z 6 µm instead of 0 µm."
    )


def test_a_slice_that_is_not_the_engines_is_said_to_be_corrected(viewer):
    made = fused_set(viewer)
    pixel = (0, 50, 5)
    curves = curves_of(made.result, pixel)
    assert engine_words(facts_of(made, pixel), curves) == ""
    made.put("focus_index", 0, (slice(50, 51), slice(5, 6)), np.array([[2]], np.uint8))
    assert "slice 0" in engine_words(facts_of(made, pixel), curves)


@pytest.mark.parametrize("place", [(48, 64), (0, 0), (95, 127), (3, 120)])
def test_the_surroundings_are_the_sources_pixels_round_the_place(viewer, place):
    made = fused_set(viewer)
    y, x = place
    found = surroundings_of(made.result, (0, y, x), 2, fused_part(made, (0, y, x)))
    fused, there = found.parts
    side = 2 * RADIUS_PX + 1
    assert fused.shape == there.shape == (1, side, side)
    at = (0, *found.at_yx)
    assert fused[at] == made.result.fused.compute()[y, x]
    assert there[at] == made.stack.data[0, 0, 2, y, x].compute()


def test_the_surroundings_in_a_tiny_image_are_all_there_is(viewer):
    made = fused_set(viewer, stack_of(textured((3, 20, 70))))
    assert fused_part(made, (0, 5, 69)).shape == (1, 20, 2 * RADIUS_PX + 1)
