"""Arrays of a result take the dimensions of its layers, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_gmff._napari.layers.label_places import arranged_image


@pytest.mark.parametrize(
    ("names", "own", "shape"),
    [
        ("yx", "yx", (5, 7)),
        ("xy", "yx", (7, 5)),
        ("tzyx", "tyx", (3, 1, 5, 7)),
        ("tzyx", "yx", (1, 1, 5, 7)),
        ("xzyt", "tyx", (7, 1, 5, 3)),
    ],
)
def test_images_take_the_dimensions_of_the_layer_with_their_colours_last(names, own, shape):
    array = np.arange(3 * 5 * 7 * 4).reshape(3, 5, 7, 4)
    array = array if own == "tyx" else array[0]
    over = Image(np.zeros(tuple(2 for _ in names)), axis_labels=tuple(names))
    shown = arranged_image(array, over, own)
    assert shown.shape == (*shape, 4)
    assert np.shares_memory(shown, array)
    y, x = (names.index(name) for name in "yx")
    place = [0] * len(names)
    place[y], place[x] = 4, 6
    np.testing.assert_array_equal(shown[tuple(place)], array[(0,) * (len(own) - 2) + (4, 6)])
    plain = arranged_image(array[..., 0], over, own)
    assert plain.shape == shape
