"""What the stack measured at places of the fused image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff import fuse
from napari_gmff.errors import ParameterError
from napari_gmff.restoration.consistency.measured_slices import ROUNDING_NOISE, MeasuredSlices
from napari_gmff.windows import Box
from tests.stacks import stack_of, textured

FAST = {"engine": "laplacian-energy", "device": "cpu"}
BOX = Box(5, 25, 10, 40)


def slices_of(stack, **options) -> MeasuredSlices:
    with fuse(stack, **FAST, **options) as result:
        return MeasuredSlices(stack, result.provenance)


def test_parts_are_those_of_the_stack_whatever_was_fused_of_it():
    array = textured((3, 2, 6, 90, 70))
    found = slices_of(
        stack_of(array, "TCZYX"), time=(1, 3), z_range=(2, 6), region=((20, 80), (10, 60))
    )
    assert found.n_slices == 4
    part = found.part(1, 1, 1, BOX)
    np.testing.assert_array_equal(part, array[2, 1, 3, 25:45, 20:50])
    assert part.dtype == np.float32


@pytest.mark.parametrize("n_channels", [1, 2])
def test_each_colour_sample_is_a_channel(n_channels: int):
    array = np.random.default_rng(0).integers(0, 255, (n_channels, 4, 60, 60, 3), dtype=np.uint8)
    found = slices_of(stack_of(array, "CZYXS"))
    for channel in range(3 * n_channels):
        expected = array[channel // 3, 2, 5:25, 10:40, channel % 3]
        np.testing.assert_array_equal(found.part(2, 0, channel, BOX), expected)


def test_gaps_are_filled():
    array = textured(dtype="float32")
    array[1, 10, 15] = np.nan
    found = slices_of(stack_of(array)).part(1, 0, 0, BOX)
    assert np.isfinite(found).all()
    assert found[5, 5] in array[1, 9:12, 14:17]


def test_positions_are_known_in_order_only():
    steps = stack_of(textured((6, 90, 70)), voxel_size_um=(0.5, 0.2, 0.2))
    np.testing.assert_allclose(slices_of(steps, z_range=(1, 5)).z, [0.5, 1.0, 1.5, 2.0])
    without = stack_of(textured((6, 90, 70)))
    np.testing.assert_allclose(slices_of(without, slice_order="ordered").z, np.arange(6))
    assert slices_of(without, slice_order="unordered").z is None


def test_noise_is_that_of_the_camera_and_never_nothing():
    rng = np.random.default_rng(0)
    noisy = (1000 + rng.normal(0, 20, (5, 200, 200))).astype(np.uint16)
    assert slices_of(stack_of(noisy)).noise(0, 0) == pytest.approx(20, rel=0.3)
    flat = np.full((3, 90, 90), 7, np.uint8)
    flat[:, :45] = 90
    assert slices_of(stack_of(flat)).noise(0, 0) == ROUNDING_NOISE
    smooth = np.broadcast_to(np.linspace(0, 1, 90, dtype=np.float32), (3, 90, 90))
    assert slices_of(stack_of(smooth)).noise(0, 0) > 0


def test_only_the_stack_that_was_fused_is_taken():
    stack = stack_of(textured())
    with fuse(stack, **FAST) as result:
        with pytest.raises(ParameterError, match=r"must be the one that was fused, .* got"):
            MeasuredSlices(stack_of(textured(seed=1)), result.provenance)
        with pytest.raises(ParameterError, match="must be a FocusStack"):
            MeasuredSlices(textured(), result.provenance)
