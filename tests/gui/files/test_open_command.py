"""The commands that open what the core reads, in a thread."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_gmff import fuse
from napari_gmff._napari.files import open_command
from napari_gmff._napari.files.open_command import (
    open_in_background,
    open_stack_files,
    open_stack_folder,
)
from napari_gmff._napari.layers.stack_layers import SOURCE_KEY
from tests.gui.files.test_reader import write_ome, write_two_series
from tests.gui.files.test_series_picker import OPEN, answer
from tests.stacks import stack_of, textured


@pytest.fixture(autouse=True)
def _no_old_notifications():
    """Let no test find what another one was told."""
    notification_manager.records.clear()


@pytest.fixture
def viewer(qapp):
    """Return a viewer without a window, beside an application that handles events."""
    return ViewerModel()


def opened(viewer, qtbot, paths, n_layers: int = 1) -> list[str]:
    """Open paths as the command does, and return the names of the layers."""
    open_in_background(viewer, [str(path) for path in paths])
    qtbot.waitUntil(lambda: len(viewer.layers) >= n_layers, timeout=10_000)
    return [layer.name for layer in viewer.layers]


def last_message() -> str:
    return notification_manager.records[-1].message if notification_manager.records else ""


def test_an_imagej_stack_opens(viewer, qtbot, tmp_path):
    path = tmp_path / "fiji.tif"
    tifffile.imwrite(
        path,
        textured((4, 40, 50)),
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 0.5},
    )
    assert opened(viewer, qtbot, [path]) == ["fiji"]
    np.testing.assert_allclose(viewer.layers[0].scale, (0.5, 0.2, 0.2))
    assert viewer.layers[0].metadata[SOURCE_KEY].origin == str(path)


def test_several_images_are_one_stack_and_several_stacks_are_several(viewer, qtbot, tmp_path):
    planes = [tmp_path / f"p{k}.tif" for k in range(3)]
    for path in planes:
        tifffile.imwrite(path, np.zeros((30, 40), np.uint16))
    stacks = [write_ome(tmp_path / f"s{k}.ome.tif", textured((3, 30, 40))) for k in range(2)]
    opened(viewer, qtbot, planes)
    assert viewer.layers[0].data.shape == (3, 30, 40)
    assert opened(viewer, qtbot, stacks, 3)[1:] == ["s0", "s1"]


def test_a_saved_result_opens_through_the_command_too(viewer, qtbot, tmp_path):
    with fuse(stack_of(textured((3, 96, 80))), engine="laplacian-energy") as result:
        folder = result.save(tmp_path / "out", format="ome-tiff")
    assert "array focus index" in opened(viewer, qtbot, [folder], 4)


def test_of_several_series_the_picked_ones_open(viewer, qtbot, tmp_path):
    path = write_two_series(tmp_path / "both.ome.tif")
    answer(OPEN, lambda picker: picker.list.selectAll())
    open_in_background(viewer, [str(path)])
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=10_000)
    assert [layer.name for layer in viewer.layers] == ["both left", "both right"]


def test_what_cannot_be_read_is_a_notification_and_no_crash(viewer, qtbot, tmp_path):
    path = tmp_path / "doubles.ome.tif"
    tifffile.imwrite(path, np.zeros((3, 40, 40)), metadata={"axes": "ZYX"})
    open_in_background(viewer, [str(path)])
    qtbot.waitUntil(lambda: "float64" in last_message(), timeout=10_000)
    assert len(viewer.layers) == 0


def test_a_single_photograph_is_refused_with_the_way_out(viewer, qtbot, tmp_path):
    from PIL import Image as Picture

    path = tmp_path / "one.png"
    Picture.fromarray(np.zeros((20, 20), np.uint8)).save(path)
    open_in_background(viewer, [str(path)])
    qtbot.waitUntil(lambda: "give a folder, a list" in last_message(), timeout=10_000)


def test_files_are_read_in_another_thread(viewer, qtbot, tmp_path, monkeypatch):
    import threading

    threads = []
    read = open_command.sources_of

    def watched(*args):
        threads.append(threading.current_thread())
        return read(*args)

    monkeypatch.setattr(open_command, "sources_of", watched)
    opened(viewer, qtbot, [write_ome(tmp_path / "worm.ome.tif", textured((3, 40, 50)))])
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("command", "ask", "as_folder"),
    [
        (open_stack_files, "getOpenFileNames", False),
        (open_stack_folder, "getExistingDirectory", True),
    ],
)
def test_the_commands_open_what_their_dialog_gives(
    make_napari_viewer, qtbot, tmp_path, monkeypatch, command, ask, as_folder
):
    viewer = make_napari_viewer()
    write_ome(tmp_path / "worm.ome.tif", textured((3, 40, 50)))
    found = str(tmp_path) if as_folder else ([str(tmp_path / "worm.ome.tif")], "")
    monkeypatch.setattr(QFileDialog, ask, lambda *args, **kwargs: found)
    command()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=10_000)


def test_a_cancelled_dialog_does_nothing(make_napari_viewer, monkeypatch):
    viewer = make_napari_viewer()
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args, **kwargs: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args, **kwargs: "")
    open_stack_files()
    open_stack_folder()
    assert len(viewer.layers) == 0


def test_a_viewer_that_closed_meanwhile_gets_no_layers(qtbot, tmp_path):
    path = write_ome(tmp_path / "worm.ome.tif", textured((3, 40, 50)))
    viewer = ViewerModel()
    worker = open_in_background(viewer, [str(path)])
    del viewer
    gc.collect()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=10_000)
    qtbot.wait(50)
