"""Says which processor computes, and how to get torch to use another one."""

from __future__ import annotations

from typing import NamedTuple

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.words import Words
from napari_gmff.errors import DeviceError
from napari_gmff.params import WEIGHTLESS_ENGINES, FuseParams
from napari_gmff.processors import n_processors

TORCH_PAGE = "https://pytorch.org/get-started/locally/"

_HOW_TO = (
    "<qt>torch finds no graphics card here. If there is one: close napari, install the build of "
    "torch for it into the same environment, as pytorch.org says, and start napari again.<br><br>"
    f"Opens {TORCH_PAGE}</qt>"
)


class Processor(NamedTuple):
    """What a run computes on.

    Attributes
    ----------
    words : str
        For the user.
    has_gpu : bool
        Whether torch finds a graphics card.
    devices : tuple of str
        What can be asked for by name.
    """

    words: str
    has_gpu: bool
    devices: tuple[str, ...]


class DeviceLine(QWidget):
    """One line, such as "Runs on the CPU, 8 cores (torch 2.13.0)", and a button that helps."""

    devices_found = Signal(tuple)
    """What can be asked for by name: "cpu", "mps", "cuda:0" ..."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: tuple[str, str] | None = None
        self._words = Words()
        self._help = QToolButton()
        self._help.setText("Use a GPU…")
        self._help.setToolTip(_HOW_TO)
        self._help.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(TORCH_PAGE)))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._help)
        self._help.hide()
        self._asking = Background(self)
        self._asking.answered.connect(self._show)
        self._asking.failed.connect(self._on_failed)

    @property
    def words(self) -> str:
        """What is shown."""
        return self._words.words

    def show_for(self, params: FuseParams) -> None:
        """Say what a run with these parameters computes on, as soon as that is known."""
        asked = (params.engine, params.device)
        if asked != self._asked:
            self._asked = asked
            self._asking.ask(processor_of, *asked)

    def _show(self, processor: Processor) -> None:
        self._words.say(processor.words)
        self._help.setVisible(not processor.has_gpu)
        self.devices_found.emit(processor.devices)

    def _on_failed(self, error: Exception) -> None:
        self._words.say(str(error))


def processor_of(engine: str, device: str) -> Processor:
    """Find out what an engine computes on; imports torch, so it is for a thread.

    Parameters
    ----------
    engine, device : str
        Parameters of a run.
    """
    import torch

    from napari_gmff.network.devices import pick_device

    cards = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    has_mps = torch.backends.mps.is_available()
    devices = ("cpu", *cards, *(("mps",) if has_mps else ()))
    has_gpu = len(devices) > 1
    cores = n_processors()
    cpu = f"the CPU, {cores} {'core' if cores == 1 else 'cores'}"
    if engine in WEIGHTLESS_ENGINES:
        return Processor(f"Runs on {cpu}.", has_gpu=True, devices=devices)
    try:
        picked = pick_device(device)
    except DeviceError as error:
        return Processor(str(error), has_gpu, devices)
    names = {"cpu": cpu, "mps": "the Apple GPU"}
    name = names.get(picked.type) or torch.cuda.get_device_name(picked)
    return Processor(f"Runs on {name} (torch {torch.__version__}).", has_gpu, devices)
