"""What the manifest promises is found in a window: widgets, commands, menus, samples."""

from __future__ import annotations

import inspect

import pytest
from npe2 import PluginManager

from tests.gui.sets import fused_set

PLUGIN = "napari-gmff"
WIDGETS = (
    "Fuse focus stack",
    "Focus inspector",
    "Correct focus map",
    "Heights in 3D",
    "Restore (generative)",
)


def manifest():
    PluginManager.instance().discover()
    return PluginManager.instance().get_manifest(PLUGIN)


@pytest.mark.parametrize("command", [command.id for command in manifest().contributions.commands])
def test_every_command_points_at_something_that_can_be_called(command):
    assert callable(PluginManager.instance().commands.get(command))


@pytest.mark.parametrize("widget", manifest().contributions.widgets, ids=lambda one: one.command)
def test_napari_finds_the_viewer_that_a_widget_asks_for(widget):
    parameters = inspect.signature(widget.get_callable().__init__).parameters
    found = next(one for one in parameters.values() if one.name != "self")
    # As text: napari compares annotations, and does not evaluate them.
    assert found.annotation == "napari.viewer.Viewer" or found.name == "napari_viewer"


@pytest.mark.parametrize("name", WIDGETS)
def test_every_widget_opens_from_its_name(make_napari_viewer, name):
    viewer = make_napari_viewer()
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    assert dock.isVisibleTo(viewer.window._qt_window)
    assert type(widget).__module__.startswith("napari_gmff._napari")


def test_widgets_opened_from_their_menus_share_the_sets_of_the_viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    widgets = [viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in WIDGETS[1:4]]
    made = fused_set(viewer)
    pickers = [getattr(widget, "sets", None) or widget.picker for widget in widgets]
    assert [picker.result_set for picker in pickers] == [made] * 3


def test_the_samples_are_those_of_the_menu():
    keys = {sample.key for sample in manifest().contributions.sample_data}
    assert keys == {"relief", "fluorescence"}
