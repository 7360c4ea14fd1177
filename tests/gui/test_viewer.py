"""The plugin and its results in a real napari window."""

from __future__ import annotations

import numpy as np
import pytest

import napari_gmff

SIDE_PX = 192
VOXEL_UM = (2.0, 0.5, 0.5)
# Contrast limits are given because napari would compute chunks of lazy data to guess them.
LIMITS = {"fused": (0, 65535), "focus_index": (0, 3), "depth": (0, 6), "confidence": (0, 1)}


def stepped_stack() -> np.ndarray:
    """Return a (4, 192, 192) uint16 stack: slice k is sharp in the k-th quarter of the width."""
    rng = np.random.default_rng(7)
    texture = rng.integers(2_000, 60_000, (SIDE_PX, SIDE_PX), dtype=np.uint16)
    stack = np.full((4, SIDE_PX, SIDE_PX), 30_000, np.uint16)
    for index, columns in enumerate(np.array_split(np.arange(SIDE_PX), 4)):
        stack[index][:, columns] = texture[:, columns]
    return stack


@pytest.fixture
def viewer(make_napari_viewer):
    """Open a window that is really shown."""
    return make_napari_viewer(show=True)


def test_napari_finds_the_plugin(viewer):
    from npe2 import PluginManager

    manager = PluginManager.instance()
    manifest = manager.get_manifest("napari-gmff")
    assert manifest.display_name == "GMFF focus stack fusion"
    assert not manager.is_disabled("napari-gmff")


def test_four_results_of_a_fusion_show_as_layers_in_world_units(viewer):
    stack = napari_gmff.read_stack(stepped_stack(), axes="ZYX", voxel_size_um=VOXEL_UM)
    with napari_gmff.fuse(stack) as result:
        for name, limits in LIMITS.items():
            viewer.add_image(
                getattr(result, name),
                name=name,
                contrast_limits=limits,
                scale=VOXEL_UM[1:],
                units=("um", "um"),
                axis_labels=("y", "x"),
            )
        assert [layer.name for layer in viewer.layers] == list(LIMITS)
        assert all(layer.data.shape == (SIDE_PX, SIDE_PX) for layer in viewer.layers)
        np.testing.assert_array_equal(viewer.layers.extent.world[1], [95.5, 95.5])

        depth = viewer.layers["depth"]
        middle_of_quarters_um = [12.0, 36.0, 60.0, 84.0]
        shown = [depth.get_value((48.0, x), world=True) for x in middle_of_quarters_um]
        np.testing.assert_allclose(shown, [0, 2, 4, 6], atol=1.0)

        viewer.layers["confidence"].visible = False
        picture = viewer.screenshot(canvas_only=True, flash=False)
        assert len(np.unique(picture[..., 0])) > 2, "the canvas shows nothing"
