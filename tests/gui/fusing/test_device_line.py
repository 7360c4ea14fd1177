"""Which processor computes is said, and how to get another one."""

from __future__ import annotations

import torch
from qtpy.QtWidgets import QToolButton

from napari_gmff import FuseParams
from napari_gmff._napari.fusing.device_line import DeviceLine, processor_of
from napari_gmff.params import CLASSICAL_ENGINE, NETWORK_ENGINE
from napari_gmff.processors import n_processors
from tests.gui.fusion_dock import WAIT_MS


def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_without_a_gpu_the_cpu_and_torch_are_named(monkeypatch):
    no_gpu(monkeypatch)
    processor = processor_of(NETWORK_ENGINE, "auto")
    assert f"the CPU, {n_processors()} core" in processor.words
    assert torch.__version__ in processor.words
    assert not processor.has_gpu
    assert processor.devices == ("cpu",)


def test_with_a_gpu_its_name_is_given_and_all_can_be_chosen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A Fine Card")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    processor = processor_of(NETWORK_ENGINE, "auto")
    assert "A Fine Card" in processor.words
    assert processor.has_gpu
    assert processor.devices == ("cpu", "cuda:0", "cuda:1")
    assert "the CPU" in processor_of(NETWORK_ENGINE, "cpu").words


def test_a_device_that_is_not_there_is_said_with_what_to_do(monkeypatch):
    no_gpu(monkeypatch)
    words = processor_of(NETWORK_ENGINE, "cuda:3").words
    assert "cuda:3 is not available" in words
    assert "install a CUDA build" in words


def test_the_classical_engine_always_uses_the_cpu():
    processor = processor_of(CLASSICAL_ENGINE, "auto")
    assert processor.words.startswith("Runs on the CPU")
    assert processor.has_gpu, "it needs none, so no help is offered"


def test_the_line_offers_help_only_where_torch_finds_no_gpu(qtbot, monkeypatch):
    no_gpu(monkeypatch)
    line = DeviceLine()
    qtbot.addWidget(line)
    line.show()
    button = line.findChild(QToolButton)
    assert "pytorch.org" in button.toolTip()
    with qtbot.waitSignal(line.devices_found, timeout=WAIT_MS) as heard:
        line.show_for(FuseParams())
    assert heard.args == [("cpu",)]
    assert button.isVisible()
    with qtbot.waitSignal(line.devices_found, timeout=WAIT_MS):
        line.show_for(FuseParams(engine=CLASSICAL_ENGINE))
    assert not button.isVisible()
    assert line.words.startswith("Runs on the CPU")
