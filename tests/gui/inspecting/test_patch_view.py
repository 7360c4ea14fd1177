"""Small pictures have the colours of the layers."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_gmff._napari.inspecting.patch_view import PatchView, as_colors


def test_intensities_have_the_limits_and_the_gamma_of_their_layer():
    part = np.array([[[0, 100, 200, 300]]], np.uint16)
    layer = Image(np.zeros((4, 4)), contrast_limits=(100, 200), gamma=2.0, colormap="gray")
    assert as_colors(part, [layer])[0, :, 0].tolist() == [0, 0, 255, 255]
    layer.contrast_limits = (0, 200)
    assert as_colors(part, [layer])[0, 1, 0] == pytest.approx(0.25 * 255, abs=1)


def test_channels_are_added_in_their_colours():
    part = np.array([[[255, 0]], [[0, 255]]], np.uint8)
    layers = [
        Image(np.zeros((4, 4)), contrast_limits=(0, 255), colormap=name)
        for name in ("red", "green")
    ]
    assert as_colors(part, layers).tolist() == [[[255, 0, 0], [0, 255, 0]]]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [("uint8", [0, 51, 255]), ("uint16", [0, 13107, 65535]), ("float32", [0, 0.2, 1])],
)
def test_colour_samples_are_shown_as_they_are(dtype, values):
    part = np.array(values, dtype).reshape(3, 1, 1)
    layer = Image(np.zeros((4, 4, 3), np.uint8), rgb=True)
    assert as_colors(part, [layer]).tolist() == [[[0, 51, 255]]]


def test_a_pixel_that_is_not_finite_is_dark():
    layer = Image(np.zeros((4, 4)), contrast_limits=(0, 1), colormap="gray")
    assert as_colors(np.array([[[np.nan]]]), [layer]).tolist() == [[[0, 0, 0]]]


def test_the_pixel_is_marked_where_it_is(qtbot):
    view = PatchView()
    qtbot.addWidget(view)
    assert view.isHidden()
    part = np.zeros((1, 40, 40), np.uint8)
    layer = Image(part[0], contrast_limits=(0, 255))
    view.show_parts((part, part), (30, 10), "slice 4", [layer])
    assert not view.isHidden()
    assert view.captions == ("as fused", "slice 4")
    for pixmap in view.pixmaps:
        image = pixmap.toImage()
        lit = [
            (y, x)
            for y in range(image.height())
            for x in range(image.width())
            if image.pixelColor(x, y).red() > 100
        ]
        zoom = image.width() / 40
        middle = np.mean(lit, axis=0) / zoom - 0.5
        np.testing.assert_allclose(middle, (30, 10), atol=0.5)
