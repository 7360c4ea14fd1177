"""The picture laid over a surface is what the layers of the fused image show."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.heights.fused_picture import (
    ChannelLook,
    fused_picture,
    level_within,
    looks_of,
)
from napari_gmff.errors import ParameterError
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

VOXEL_UM = (2.0, 0.5, 0.5)


@pytest.fixture
def viewer():
    """Return a viewer without a window; its fusions are closed when it goes."""
    return ViewerModel()


def test_a_grey_image_is_shown_within_its_contrast_limits(viewer):
    made = fused_set(viewer)
    (layer,) = made.layers["fused"]
    layer.contrast_limits = (10_000, 40_000)
    layer.gamma = 0.5
    (look,) = looks_of(made)
    picture = fused_picture(made.images, 0, (look,), 0)
    share = np.clip((made.images.levels("fused")[0] - 10_000.0) / 30_000, 0, 1) ** 0.5
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture, np.repeat(share[..., None], 3, -1) * 255, atol=0.51)


def test_the_colours_of_channels_add_up_and_a_deleted_one_is_black(viewer):
    stack = stack_of(textured((2, 4, 64, 96)), "CZYX", voxel_size_um=VOXEL_UM)
    made = fused_set(viewer, stack)
    red, green = made.layers["fused"]
    red.colormap, green.colormap = "red", "green"
    picture = fused_picture(made.images, 0, looks_of(made), 0)
    assert not picture[..., 2].any()
    viewer.layers.remove(red)
    without = fused_picture(made.images, 0, looks_of(made), 0)
    assert not without[..., 0].any()
    np.testing.assert_array_equal(without[..., 1], picture[..., 1])
    viewer.layers.remove(green)
    grey = fused_picture(made.images, 0, looks_of(made), 0)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_sums_of_bright_channels_stay_white(viewer):
    made = fused_set(viewer, stack_of(textured((2, 4, 64, 96)), "CZYX"))
    white = ChannelLook(np.full((256, 3), 255, np.uint8), (0, 1))
    assert (fused_picture(made.images, 0, (white, white), 0) == 255).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colour_samples_are_shown_as_they_are(dtype, viewer):
    # (S, Z, Y, X) noise with the samples moved last.
    array = np.moveaxis(textured((3, 4, 64, 96), dtype), 0, -1)
    made = fused_set(viewer, stack_of(array, "ZYXS"))
    assert looks_of(made) == ()
    picture = fused_picture(made.images, 0, (), 0)
    fused = np.moveaxis(made.images.levels("fused")[0], 0, -1)
    expected = fused if dtype == "uint8" else np.rint(fused / 65535 * 255)
    np.testing.assert_array_equal(picture, expected)


def test_a_look_for_each_channel_is_needed(viewer):
    made = fused_set(viewer)
    look = ChannelLook(np.zeros((256, 3), np.uint8), (0, 1))
    with pytest.raises(ParameterError, match="one for each of 1 channels, got 2"):
        fused_picture(made.images, 0, (look, look), 0)


def test_an_image_without_contrast_is_no_error(viewer):
    made = fused_set(viewer)
    look = ChannelLook(np.zeros((256, 3), np.uint8), (5.0, 5.0))
    assert fused_picture(made.images, 0, (look,), 0).shape == (96, 128, 3)


def test_the_finest_level_that_fits_is_taken(viewer):
    made = fused_set(viewer, stack_of(textured((4, 300, 700))))
    sides = [max(level.shape) for level in made.images.levels("fused")]
    assert len(sides) > 1
    assert level_within(made.images, 10_000) == 0
    assert level_within(made.images, sides[1]) == 1
    assert level_within(made.images, 1) == len(sides) - 1
