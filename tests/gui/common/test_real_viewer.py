"""Widgets work on the viewer itself, not on the proxy that napari hands them."""

from __future__ import annotations

from napari.components import ViewerModel
from npe2 import DynamicPlugin
from qtpy.QtWidgets import QWidget

from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.layers.result_sets import result_sets


def test_a_viewer_is_itself():
    viewer = ViewerModel()
    assert real_viewer(viewer) is viewer


def test_the_viewer_behind_what_napari_hands_to_widgets_is_found(make_napari_viewer):
    given = []
    viewer = make_napari_viewer()
    with DynamicPlugin("probe") as plugin:

        @plugin.contribute.widget(display_name="Probe")
        class Probe(QWidget):
            def __init__(self, napari_viewer) -> None:
                super().__init__()
                given.append(napari_viewer)

        viewer.window.add_plugin_dock_widget("probe", "Probe")
    (proxy,) = given
    assert proxy is not viewer, "napari has stopped to use proxies: `real_viewer` can go"
    assert real_viewer(proxy) is viewer
    assert result_sets(proxy) is result_sets(viewer)
