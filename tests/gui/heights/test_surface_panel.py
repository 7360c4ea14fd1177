"""Controls of the 3D view."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.heights import surface_panel
from napari_gmff._napari.heights.height_map import HeightMap, HeightScale
from napari_gmff._napari.heights.surface_panel import SurfacePanel
from tests.gui.sets import fused_set

TRUE = HeightScale((0.5, 0.5), 1.0)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    panel = SurfacePanel(viewer, set())
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def shown(panel, viewer, qtbot):
    """Return the panel with a surface in 3D."""
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE))
    panel.button.click()
    qtbot.waitUntil(lambda: panel.view.is_shown)
    return panel


def test_one_button_goes_to_3d_and_back(shown, viewer):
    assert viewer.dims.ndisplay == 3
    assert "2D" in shown.button.text()
    assert shown.words == "Heights and lengths are to scale."
    shown.button.click()
    assert viewer.dims.ndisplay == 2
    assert not shown.view.is_shown
    assert "3D" in shown.button.text()
    assert shown.words == ""


def test_the_surface_is_made_in_another_thread(panel, viewer, qtbot, monkeypatch):
    threads = []

    def noted(*args):
        threads.append(threading.get_ident())
        return real(*args)

    real = surface_panel.shown_surface
    monkeypatch.setattr(surface_panel, "shown_surface", noted)
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE))
    panel.button.click()
    assert panel.words == "Making the surface …"
    qtbot.waitUntil(lambda: panel.view.is_shown)
    assert threads
    assert threading.get_ident() not in threads


def test_slider_and_number_agree_and_stretch_the_layer(shown, qtbot):
    shown.slider.setValue(shown.slider.maximum())
    assert shown.factor.value() == 50
    shown.factor.setValue(5)
    assert 0 < shown.slider.value() < shown.slider.maximum()
    qtbot.waitUntil(lambda: shown.view.layer.affine.affine_matrix[0, 0] == pytest.approx(5))
    assert shown.words == "Heights are drawn 5 times too high."


def test_a_stretch_chosen_before_holds_when_the_surface_comes(panel, viewer, qtbot):
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE))
    panel.factor.setValue(3)
    panel.coloring.setCurrentIndex(1)
    panel.lit.setChecked(True)
    panel.rising.setCurrentIndex(1)
    panel.button.click()
    qtbot.waitUntil(lambda: panel.view.is_shown)
    layer = panel.view.layer
    assert layer.affine.affine_matrix[0, 0] == pytest.approx(3)
    assert (layer.texture == 255).all()
    assert layer.shading == "smooth"
    assert not panel.rises


def test_smoothing_makes_the_surface_again(shown, qtbot):
    rough = shown.view.layer.vertices[:, 0].copy()
    shown.smoothing.setValue(4)
    qtbot.waitUntil(lambda: not shown.is_busy)
    assert np.ptp(np.diff(shown.view.layer.vertices[:, 0])) < np.ptp(np.diff(rough))


def test_what_cannot_be_shown_is_said_in_the_dock(panel, viewer, qtbot):
    made = fused_set(viewer)
    made.images.levels("depth")[0][:] = np.nan
    panel.use(made, HeightMap(made.images, 0, TRUE))
    panel.button.click()
    qtbot.waitUntil(lambda: bool(panel.problem))
    assert "three neighbouring pixels" in panel.problem
    assert not panel.button.isChecked()
    assert viewer.dims.ndisplay == 2


def test_an_unknown_scale_is_shown_but_not_called_true(panel, viewer, qtbot):
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, HeightScale((None, None), None)))
    panel.button.click()
    qtbot.waitUntil(lambda: panel.view.is_shown)
    assert "not to scale" in panel.words


def test_a_surface_that_is_no_longer_wanted_does_not_come(panel, viewer, qtbot):
    made = fused_set(viewer)
    panel.use(made, HeightMap(made.images, 0, TRUE))
    panel.button.click()
    panel.button.click()
    qtbot.wait(200)
    assert not panel.view.is_shown
    assert viewer.dims.ndisplay == 2


def test_without_a_fusion_there_is_no_surface(shown, viewer):
    shown.use(None, None)
    assert viewer.dims.ndisplay == 2
    assert not shown.button.isEnabled()
    assert not shown.button.isChecked()
