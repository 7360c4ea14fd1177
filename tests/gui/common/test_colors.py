"""Colours of slices: one each, told apart with any colour vision, exact on the screen."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_gmff._napari.common.colors import slice_colormap, slice_colors, slice_limits

# Machado, Oliveira and Fernandes 2009, complete loss: what linear RGB looks like.
VISION = {
    "normal": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(rgb: np.ndarray, vision: str) -> np.ndarray:
    """Return sRGB colours as someone with this vision sees them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("n_slices", [2, 5, 8, 9, 12, 32, 300])
def test_neighbouring_slices_differ_for_every_colour_vision(n_slices, vision):
    lab = rgb2lab(seen(slice_colors(n_slices)[:, :3], vision)[np.newaxis])[0]
    assert deltaE_ciede2000(lab[1:], lab[:-1]).min() > 4  # a bit over 2 is just seen


def test_few_slices_rise_in_lightness_from_first_to_last():
    lightness = rgb2lab(slice_colors(6)[np.newaxis, :, :3])[0, :, 0]
    assert (np.diff(lightness) > 5).all()


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 1), (3, 9), (0, 299)])
def test_each_slice_number_gets_its_own_colour(first, last):
    numbers = np.arange(first, last + 1)
    low, high = slice_limits(first, last)
    colormap = slice_colormap(len(numbers))
    colors = colormap.map((numbers - low) / (high - low))
    np.testing.assert_allclose(colors, slice_colors(len(numbers)), atol=1e-6)
    assert len(np.unique(slice_colors(len(numbers)), axis=0)) == len(numbers)


def test_a_layer_shows_these_colours_on_the_screen(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    numbers = np.repeat(np.arange(5, 29, dtype=np.uint8), 10)[np.newaxis].repeat(100, axis=0)
    viewer.add_image(
        numbers, colormap=slice_colormap(24), contrast_limits=slice_limits(5, 28),
        interpolation2d="nearest",
    )  # fmt: skip
    picture = viewer.screenshot(canvas_only=True, flash=False)
    shown = np.unique(picture[picture.shape[0] // 2, :, :3], axis=0)
    for color in np.round(slice_colors(24)[:, :3] * 255):
        assert np.abs(shown - color).max(axis=1).min() <= 1


def test_the_colormap_can_be_set_twice_without_a_quarrel_about_its_name():
    viewer = ViewerModel()
    for _ in range(2):
        viewer.add_image(np.zeros((4, 4), np.uint8), colormap=slice_colormap(7))
