"""What layers are understood to be, without reading a pixel."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_gmff import read_stack
from napari_gmff._napari.layers.stack_views import understood
from tests.gui.made_layers import UM, lazy_layer, read_layers
from tests.stacks import stack_of as array_stack
from tests.stacks import textured


@pytest.mark.parametrize(
    ("unit", "factor"), [("nm", 1e3), ("um", 1.0), ("mm", 1e-3), ("meter", 1e-6)]
)
def test_sizes_in_any_unit_of_length_become_micrometres(unit, factor):
    layer = lazy_layer(scale=np.array((0.5, 0.2, 0.25)) * factor, units=(unit,) * 3)
    np.testing.assert_allclose(understood(layer).voxel_size_um, (0.5, 0.2, 0.25))


def test_sizes_in_pixels_stay_unknown_but_are_offered_as_a_hint():
    view = understood(lazy_layer(scale=(0.5, 0.2, 0.2)))
    assert view.voxel_size_um == (None, None, None)
    assert view.unknown_step
    assert view.scale_hint == 0.5
    assert understood(lazy_layer()).scale_hint is None


def test_an_affine_that_scales_counts_as_well():
    affine = np.diag([3.0, 2.0, 2.0, 1.0])
    view = understood(lazy_layer(scale=(1, 0.5, 0.5), affine=affine, units=UM))
    np.testing.assert_allclose(view.voxel_size_um, (3, 1, 1))


def test_a_rotation_in_the_plane_leaves_the_sizes_alone():
    turned = np.eye(3)
    turned[1:, 1:] = [[0.6, -0.8], [0.8, 0.6]]
    view = understood(lazy_layer(scale=(2, 0.5, 0.5), rotate=turned, units=UM))
    np.testing.assert_allclose(view.voxel_size_um, (2, 0.5, 0.5))


def test_all_channels_of_a_file_belong_to_the_stack():
    viewer = read_layers(array_stack(textured((2, 3, 40, 50)), "CZYX", voxel_size_um=(1, 0.5, 0.5)))
    other = viewer.add_image(textured((3, 40, 50)))
    view = understood(viewer.layers[1], viewer.layers)
    assert view.layers == tuple(viewer.layers[:2])
    assert view.n_channels == 2
    assert view.name == "array"
    assert understood(other, viewer.layers).layers == (other,)


def test_a_layer_of_a_file_that_was_moved_is_still_the_files_stack():
    viewer = read_layers(array_stack(textured((3, 40, 50)), voxel_size_um=(1, 0.5, 0.5)))
    viewer.layers[0].translate = (50, 60, 70)
    viewer.layers[0].contrast_limits = (0, 5)
    assert understood(viewer.layers[0]).source is not None


def test_pages_whose_meaning_the_file_does_not_tell_are_not_certain(tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", textured((4, 40, 50)), photometric="minisblack")
    viewer = read_layers(read_stack(tmp_path / "plain.tif"))
    view = understood(viewer.layers[0])
    assert not view.is_certain
    assert "taken as Z slices" in view.notes[0]
    assert view.source is not None
    assert understood(viewer.layers[0], z_axis=0).is_certain
