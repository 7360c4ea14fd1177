"""The region is the whole image, a rectangle drawn on it, or pixels from a file."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Shapes

from napari_gmff._napari.layers.layer_stacks import understood
from napari_gmff._napari.layers.region_editor import RegionEditor
from napari_gmff.errors import ParameterError

SQUARE = np.array([[9.5, 9.5], [9.5, 29.5], [19.5, 29.5], [19.5, 9.5]])


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 100, 120), np.uint8), name="cells", axis_labels=tuple("zyx"))
    return viewer


@pytest.fixture
def editor(viewer, qtbot):
    editor = RegionEditor(viewer)
    qtbot.addWidget(editor)
    editor.set_view(understood(viewer.layers["cells"]))
    return editor


def words(editor) -> list[str]:
    return [text for text, _ in editor.choices()]


def test_the_whole_image_is_the_first_choice(editor):
    assert editor.value() is None
    assert words(editor) == ["whole image", "draw a rectangle…"]


def test_a_rectangle_gives_its_pixels_and_tells_when_it_is_moved(viewer, editor):
    shapes = viewer.add_shapes([SQUARE], name="part")
    editor.refresh()
    assert "rectangle in part" in words(editor)
    told = []
    editor.changed.connect(lambda: told.append(editor.value()))
    editor.focusProxy().setCurrentIndex(1)
    assert told == [((10, 20), (10, 30))]
    shapes.data = [SQUARE + 5]
    assert told[-1] == ((15, 25), (15, 35))


def test_a_deleted_layer_leaves_the_whole_image(viewer, editor):
    shapes = viewer.add_shapes([SQUARE])
    editor.refresh()
    editor.focusProxy().setCurrentIndex(1)
    viewer.layers.remove(shapes)
    editor.refresh()
    assert editor.value() is None


def test_drawing_starts_with_a_layer_to_draw_on(viewer, editor):
    editor.focusProxy().setCurrentIndex(1)
    layer = viewer.layers["cells region"]
    assert isinstance(layer, Shapes)
    assert layer.mode == "add_rectangle"
    with pytest.raises(ParameterError, match="holds no rectangle"):
        editor.value()
    layer.add_rectangles(SQUARE)
    assert editor.value() == ((10, 20), (10, 30))


def test_pixels_from_a_file_are_kept_and_shown(editor):
    editor.set_value(((5, 50), (0, 40)))
    assert editor.value() == ((5, 50), (0, 40))
    assert "pixels 5:50,0:40" in words(editor)
    editor.set_value(None)
    assert editor.value() is None
    assert words(editor) == ["whole image", "draw a rectangle…"]
