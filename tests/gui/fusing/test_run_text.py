"""The run as text: on the clipboard, and in the file that the command line takes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QApplication, QPushButton

from napari_gmff import FuseParams, fuse, open_result, read_stack
from napari_gmff._napari.fusing.run_text import RunText, RunWords
from napari_gmff.params import CLASSICAL_ENGINE
from tests.gui.fusion_dock import WAIT_MS, docked, wait_for_threads
from tests.stacks import textured

PARAMS = FuseParams(engine=CLASSICAL_ENGINE, z_range=(1, 4))


@pytest.fixture
def text(qtbot):
    text = RunText(lambda: RunWords("cells.tif", {"axes": "ZYX"}, PARAMS), set())
    qtbot.addWidget(text)
    return text


def test_the_python_script_is_copied(text):
    text.copy_python()
    script = QApplication.clipboard().text()
    compile(script, "script", "exec")
    assert 'source = "cells.tif"' in script
    assert "z_range=(1, 4)" in script


def test_the_command_line_is_copied(text):
    text.copy_command()
    command = QApplication.clipboard().text()
    assert command.startswith("napari-gmff fuse cells.tif")
    assert "--z-range 1:4" in command


def test_parameters_are_saved_and_loaded_in_a_thread(text, qtbot, tmp_path):
    path = tmp_path / "run.json"
    text.save_to(str(path))
    wait_for_threads()
    assert path.is_file()
    with qtbot.waitSignal(text.loaded, timeout=WAIT_MS) as heard:
        text.load_from(str(path))
    (values,) = heard.args
    assert FuseParams(**{name: values[name] for name in FuseParams.model_fields}) == PARAMS


def test_without_a_stack_only_loading_is_offered(text):
    text.set_ready(False)
    offered = [one.text() for one in text.findChildren(QPushButton) if one.isEnabled()]
    assert [one.replace("&", "") for one in offered] == ["Load settings…"]


def test_what_the_dock_copies_repeats_its_run(make_napari_viewer, qtbot, tmp_path):
    from napari_gmff._napari.layers.stack_layers import StackSource, layers_of_stack

    path = tmp_path / "cells.ome.tif"
    tifffile.imwrite(path, textured(), metadata={"axes": "ZYX"})
    viewer = make_napari_viewer()
    widget = docked(viewer, z_range=None)
    for data, kwargs, _ in layers_of_stack(StackSource(read_stack(path), str(path))):
        viewer.add_image(data, **kwargs)
    widget.picker.enter_step(0.25)
    widget.form.editor("z_range").set_value((0, 3))
    widget.text.copy_python()
    script = tmp_path / "script.py"
    script.write_text(QApplication.clipboard().text(), encoding="utf-8")
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True)
    (made,) = tmp_path.glob("*.ome.zarr")
    with (
        open_result(made) as result,
        read_stack(path, voxel_size_um=(0.25, None, None)) as stack,
        fuse(stack, engine=CLASSICAL_ENGINE, z_range=(0, 3)) as expected,
    ):
        np.testing.assert_array_equal(result.depth.compute(), expected.depth.compute())
        assert result.depth_unit == "µm"
    wait_for_threads()


def test_settings_saved_from_the_dock_are_taken_back(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer()
    widget = docked(viewer, block_px=512, projections=True)
    viewer.add_image(textured(), contrast_limits=(0, 65535))
    widget.picker.enter_step(0.25)
    path = str(tmp_path / "run.json")
    widget.text.save_to(path)
    wait_for_threads()
    before = widget.form.values()
    widget.form.set_values({})
    widget.picker.enter_step(1.0)
    with qtbot.waitSignal(widget.text.loaded, timeout=WAIT_MS):
        widget.text.load_from(path)
    assert widget.form.values() == before
    assert widget.picker.stack.voxel_size_um[0] == 0.25
    wait_for_threads()
