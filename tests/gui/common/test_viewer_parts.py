"""Camera and grid are found in every napari, without a word of deprecation."""

from __future__ import annotations

from types import SimpleNamespace

from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import camera_of, grid_of


def test_camera_and_grid_are_those_of_the_viewer(qapp):
    viewer = ViewerModel()
    camera_of(viewer).zoom = 7
    grid_of(viewer).stride = 3
    assert camera_of(viewer).zoom == 7
    assert grid_of(viewer).stride == 3


def test_before_napari_0_9_they_are_the_viewers_own():
    old = SimpleNamespace(camera=object(), grid=object())
    assert camera_of(old) is old.camera
    assert grid_of(old) is old.grid
