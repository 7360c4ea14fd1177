"""Depth is in the unit and direction of the slices, refined only where slices are neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_gmff import FocusStack, fuse, read_stack
from napari_gmff.errors import ParameterError
from napari_gmff.scenes import Scene, relief_scene
from tests.stacks import stack_of, textured


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Return a smooth relief with its true depth."""
    return relief_scene(192, 8, step=False, photons=np.inf, seed=3)


def at(array: np.ndarray, z_um: list[float] | None) -> FocusStack:
    """Return a stack whose slices lie at some positions."""
    positions = None if z_um is None else np.asarray(z_um, np.float64)
    return replace(stack_of(array), z_positions_um=positions)


@pytest.mark.parametrize(
    "z_um", [[0.0, 1.0, 2.0, 3.0], [5.0, 5.5, 8.0, 20.0], [3.0, 0.0, -1.0, -9.0]]
)
def test_depth_is_the_position_of_the_chosen_slice_and_refined_nearby(z_um: list[float]) -> None:
    with fuse(at(textured(), z_um)) as result:
        index, depth = result.focus_index.compute(), result.depth.compute()
        unrefined = result.depth_unrefined.compute()
        assert result.depth_unit == "µm"
        np.testing.assert_array_equal(result.z_positions, z_um)
        assert result.provenance["slices"]["order"] == "ordered"
    np.testing.assert_array_equal(unrefined, np.asarray(z_um, np.float32)[index], strict=True)
    assert (depth != unrefined).any()
    positions = np.asarray(z_um)
    half = np.abs(np.diff(positions)) / 2
    room = np.maximum(np.append(half, 0), np.insert(half, 0, 0))[index]
    assert (np.abs(depth - unrefined) <= room * (1 + 1e-6)).all()


def test_unknown_positions_give_depth_in_slices() -> None:
    with fuse(at(textured(), None)) as result:
        index, unrefined = result.focus_index.compute(), result.depth_unrefined.compute()
        assert result.depth_unit == "slice"
        assert result.z_positions is None
    np.testing.assert_array_equal(unrefined, index)


def test_depth_in_a_range_of_slices_keeps_the_positions_of_the_source() -> None:
    stack = at(textured((5, 60, 60)), [0, 2, 5, 9, 14])
    with fuse(stack, z_range=(2, 4), slice_order="unordered") as result:
        index, depth = result.focus_index.compute(), result.depth.compute()
        np.testing.assert_array_equal(result.z_positions, [5, 9])
    np.testing.assert_array_equal(depth, np.where(index == 2, 5, 9))


def test_an_unordered_stack_is_not_refined() -> None:
    with fuse(at(textured(), [0, 1, 2, 3]), slice_order="unordered") as result:
        assert result.depth_unrefined is None
        np.testing.assert_array_equal(result.depth.compute(), result.focus_index.compute())
        assert result.provenance["slices"]["order"] == "unordered"


@pytest.mark.parametrize("z_um", [[0.0, 2.0, 1.0, 3.0], [0.0, 1.0, 1.0, 2.0]])
def test_unsteady_positions_are_not_an_order(z_um: list[float]) -> None:
    stack = at(textured(), z_um)
    with fuse(stack) as result:
        assert result.provenance["slices"]["order"] == "unordered"
        expected = np.asarray(z_um, np.float32)[result.focus_index.compute()]
        np.testing.assert_array_equal(result.depth.compute(), expected)
    with pytest.raises(ParameterError, match=r"slice_order: ordered, but .* array do not rise"):
        fuse(stack, slice_order="ordered")
    # A part of the slices may still be in order.
    with fuse(stack, slice_order="ordered", z_range=(2, 4)) as result:
        assert result.depth_unrefined is not None


def test_without_positions_the_pixels_tell_the_order(scene: Scene) -> None:
    with fuse(stack_of(scene.stack)) as result:
        assert result.provenance["slices"]["order"] == "ordered"
    mixed = scene.stack[[3, 7, 0, 5, 2, 6, 1, 4]]
    with fuse(stack_of(mixed)) as result:
        assert result.provenance["slices"]["order"] == "unordered"
        assert result.depth_unrefined is None
    with fuse(stack_of(mixed), slice_order="ordered") as result:
        assert result.depth_unrefined is not None


def test_refined_depth_is_much_nearer_to_the_truth(scene: Scene) -> None:
    stack = read_stack(scene.stack, axes="ZYX", voxel_size_um=(scene.z_step_um, None, None))
    with fuse(stack) as result:
        refined, unrefined = result.depth.compute(), result.depth_unrefined.compute()
    truth = scene.depth_slices * scene.z_step_um
    where = scene.textured
    error = np.abs(refined - truth)[where].mean()
    assert error <= 0.6 * np.abs(unrefined - truth)[where].mean()


def test_falling_positions_mirror_the_depth(scene: Scene) -> None:
    up = np.arange(8) * 0.5
    with fuse(at(scene.stack, list(up))) as rising, fuse(at(scene.stack, list(-up))) as falling:
        np.testing.assert_allclose(
            falling.depth.compute(), -rising.depth.compute(), rtol=0, atol=1e-6
        )
