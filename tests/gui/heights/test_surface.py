"""The dock "Heights in 3D" in a real window."""

from __future__ import annotations

import gc
import math
import weakref

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_gmff._napari.heights.surface import SurfaceWidget
from napari_gmff._napari.layers.saved_results import layers_of_saved, open_saved
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

DOCK_PX = 300
LINE = np.array([(20.0, 4.0), (70.0, 120.0)])


@pytest.fixture
def viewer(make_napari_viewer):
    """Open a window that is really shown."""
    return make_napari_viewer(show=True)


@pytest.fixture
def widget(viewer):
    widget = SurfaceWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Heights in 3D")
    return widget


def show_3d(widget: SurfaceWidget, qtbot) -> None:
    widget.surface.button.click()
    qtbot.waitUntil(lambda: widget.surface.view.is_shown)


def colours(viewer) -> int:
    """Count the colours on the canvas."""
    picture = viewer.screenshot(canvas_only=True, flash=False)
    return len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0))


def test_without_a_fusion_the_dock_says_what_to_do(widget):
    assert widget.words.startswith("Fuse a stack")
    assert not widget.surface.button.isEnabled()
    assert not widget.profile.draw.isEnabled()
    assert not any(button.isEnabled() for button in widget.mesh.buttons.values())


def test_a_fusion_is_seen_in_3d_measured_and_left_again(widget, viewer, qtbot):
    made = fused_set(viewer)
    assert widget.words == "Depth is z in µm, from 0 to 6 µm."
    show_3d(widget, qtbot)
    assert colours(viewer) > 30, "the canvas shows no textured surface"
    widget.surface.coloring.setCurrentIndex(1)
    assert colours(viewer) > 30, "the canvas shows no colours for depth"
    widget.profile.draw.click()
    assert viewer.dims.ndisplay == 2
    assert not widget.surface.button.isChecked()
    widget.profile.line.layer.add_lines(LINE)
    qtbot.waitUntil(lambda: widget.profile.plot.profile is not None)
    assert widget.profile.plot.profile.height_difference_um == pytest.approx(6, abs=1.5)
    assert [layer.visible for layer in made.layers["depth"]] == [True]


def test_corrections_show_at_once_in_surface_and_profile(widget, viewer, qtbot):
    made = fused_set(viewer)
    widget.profile.draw.click()
    widget.profile.line.layer.add_lines(LINE)
    show_3d(widget, qtbot)
    qtbot.waitUntil(lambda: not widget.is_busy)
    place = (slice(0, 96), slice(0, 128))
    made.put("depth", 0, place, np.full((96, 128), 4.5, np.float32))
    made.corrected.emit(0, place)
    qtbot.waitUntil(lambda: not widget.is_busy)
    assert (widget.surface.view.layer.vertices[:, 0] == 4.5).all()
    assert widget.profile.plot.profile.height_range_um == pytest.approx(0, abs=1e-9)


def test_the_time_slider_moves_surface_and_profile(widget, viewer, qtbot):
    array = np.stack([textured((4, 64, 96)), textured((4, 64, 96))[::-1]])
    made = fused_set(viewer, stack_of(array, "TZYX", voxel_size_um=(2.0, 0.5, 0.5)))
    viewer.dims.set_point(0, 0)
    widget.profile.draw.click()
    widget.profile.line.layer.add_lines(np.array([(32.0, 4.0), (32.0, 90.0)]))
    show_3d(widget, qtbot)
    qtbot.waitUntil(lambda: not widget.is_busy)
    depth = made.result.depth.compute()
    for time in (1, 0):
        viewer.dims.set_point(0, time)
        qtbot.waitUntil(lambda: not widget.is_busy)
        np.testing.assert_array_equal(widget.surface.view.layer.vertices[:, 0], depth[time].ravel())
        rise = widget.profile.plot.profile.height_difference_um
        assert rise == pytest.approx(-6 if time else 6, abs=1.5)


def test_low_confidence_makes_holes_and_gaps(widget, viewer, qtbot):
    made = fused_set(viewer)
    confidence = made.result.confidence.compute()
    # The box has two decimals, and rounding up could leave nothing.
    least = math.floor(100 * float(np.quantile(confidence, 0.3))) / 100
    widget.least_confidence.setValue(least)
    show_3d(widget, qtbot)
    n_kept = int((confidence >= np.float32(least)).sum())
    assert 0 < len(widget.surface.view.layer.vertices) <= n_kept < confidence.size


def test_a_source_without_sizes_asks_for_them(widget, viewer, qtbot):
    fused_set(viewer, stack_of(textured()))
    assert widget.words == "Depth is in slices, from 0 to 3."
    assert "neither slice step nor pixel size" in widget.scale.why
    widget.scale.step.setValue(2.0)
    widget.scale.pixel.setValue(0.5)
    assert widget.scale.why == ""
    assert all(button.isEnabled() for button in widget.mesh.buttons.values())
    show_3d(widget, qtbot)
    assert widget.surface.words == "Heights and lengths are to scale."


def test_a_result_from_disk_is_measured_too(widget, viewer, qtbot, tmp_path):
    made = fused_set(viewer)
    depth = made.result.depth.compute()
    saved = open_saved(made.result.save(tmp_path / "relief.ome.zarr"))
    viewer.layers.clear()
    for data, kwargs, _ in layers_of_saved(saved):
        viewer.add_image(data, **kwargs)
    show_3d(widget, qtbot)
    np.testing.assert_array_equal(widget.surface.view.layer.vertices[:, 0], depth.ravel())
    widget.profile.draw.click()
    widget.profile.line.layer.add_lines(LINE)
    qtbot.waitUntil(lambda: widget.profile.plot.profile is not None)


def test_the_button_of_napari_goes_back_to_2d_too(widget, viewer, qtbot):
    made = fused_set(viewer)
    viewer.dims.set_point(0, 4.0)
    show_3d(widget, qtbot)
    viewer.dims.ndisplay = 2
    qtbot.waitUntil(lambda: not widget.surface.view.is_shown)
    assert viewer.dims.point[0] == 4
    assert made.layers["fused"][0].visible
    assert not widget.surface.button.isChecked()


def test_closing_the_dock_goes_back_to_2d_and_lets_the_viewer_go(widget, viewer, qtbot):
    made = fused_set(viewer)
    show_3d(widget, qtbot)
    viewer.window.remove_dock_widget(widget)
    assert viewer.dims.ndisplay == 2
    assert made.layers["fused"][0].visible
    assert "relief surface" not in viewer.layers
    fused_set(viewer)
    assert widget.picker.result_set is made, "the widget still listens"
    widget.deleteLater()


def test_the_window_can_be_closed_while_a_surface_is_shown_or_made(widget, viewer, qtbot):
    fused_set(viewer)
    show_3d(widget, qtbot)
    widget.surface.smoothing.setValue(3)
    viewer.close()


def test_the_dock_fits_300_pixels_in_both_themes(widget, viewer, qtbot):
    fused_set(viewer, stack_of(textured()))
    for theme in ("dark", "light"):
        viewer.theme = theme
        QApplication.processEvents()
        assert widget.minimumSizeHint().width() <= DOCK_PX
        content = widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        widget.resize(DOCK_PX, 900)
        QApplication.processEvents()
        inner = content[0].widget()
        assert inner.minimumSizeHint().width() <= DOCK_PX


def test_every_control_is_reached_by_tab_and_says_what_it_is(widget, viewer):
    fused_set(viewer, stack_of(textured()))
    wanted = [
        widget.picker.focusProxy(),
        widget.scale.step,
        widget.least_confidence,
        widget.surface.button,
        widget.surface.slider,
        widget.surface.factor,
        widget.surface.lit,
        widget.profile.draw,
        widget.profile.width,
        widget.profile.plot,
        widget.profile.save,
        *widget.mesh.buttons.values(),
    ]
    chain, here = [], widget
    for _ in range(500):
        here = here.nextInFocusChain()
        chain.append(here)
    places = [chain.index(control) for control in wanted]
    assert places == sorted(places)
    for control in wanted:
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert control.toolTip()
        assert control.accessibleName() or control.text()


def test_no_mnemonic_is_used_twice(widget):
    from qtpy.QtWidgets import QAbstractButton, QLabel

    letters = [
        part.text().split("&", 1)[1][0].lower()
        for kind in (QAbstractButton, QLabel)
        for part in widget.findChildren(kind)
        if "&" in part.text()
    ]
    assert len(letters) == len(set(letters)) > 10


def test_a_deleted_widget_is_forgotten_by_the_viewer(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    widget = SurfaceWidget(viewer)
    alive = weakref.ref(widget)
    widget.deleteLater()
    del widget

    def is_gone() -> bool:
        gc.collect()
        return alive() is None

    qtbot.waitUntil(is_gone)
    fused_set(viewer)
