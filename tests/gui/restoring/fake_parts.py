"""Models that need no weights, and the dock with them in a real window."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_gmff._napari.common.called_steps import CallProgress
from napari_gmff._napari.restoring.restoration_parts import (
    ModelState,
    Readiness,
    RestorationParts,
)
from napari_gmff._napari.restoring.restoration_widget import RestorationWidget
from napari_gmff.errors import DeviceError, DownloadError, WeightsError
from tests.gui.fusion_dock import WAIT_MS
from tests.gui.sets import VOXEL_UM, fused_set
from tests.restoration.restorers import PaintedRestorer
from tests.stacks import stack_of, textured


class HeldRestorer(PaintedRestorer):
    """Makes all brighter, and can be held back before a step, or made to fail there."""

    def __init__(self, by: float = 0.25) -> None:
        super().__init__(lambda image, _seed: image + np.float32(by))
        self.gate = threading.Event()
        self.gate.set()
        self.is_held = threading.Event()
        self.threads: set[threading.Thread] = set()
        self.error: Exception | None = None
        self.n_steps = 0

    def restore(self, image, seed):
        self.threads.add(threading.current_thread())
        steps = super().restore(image, seed)
        with closing(steps):
            while True:
                if not self.gate.is_set():
                    self.is_held.set()
                assert self.gate.wait(WAIT_MS / 1000), "the test forgot to open the gate"
                if self.error is not None:
                    raise self.error
                try:
                    step = next(steps)
                except StopIteration as finished:
                    return finished.value
                self.n_steps += 1
                yield step


BASE = ModelState(
    name="sd21-base",
    title="Stable Diffusion 2.1-base",
    consent_text="Content may be invented.\n\nLicence: CreativeML Open RAIL++-M",
    has_consent=False,
    is_stored=False,
    how_to_get="File: v2-1_512-ema-pruned.safetensors\nsha256: df955bdf6b682338ea9b55dfc0d8f3475",
    download_bytes=5_214_604_494,
)
CONTROL = ModelState(
    name="ifcontrolnet",
    title="IFControlNet",
    consent_text="Content may be invented.\n\nLicence: MIT",
    has_consent=False,
    is_stored=False,
    how_to_get="File: IFControlNet.pt",
    download_bytes=None,
)
DIFFBIR = replace(CONTROL, name="diffbir-v2", title="DiffBIR v2", how_to_get="File: v2.pth")


class FakeParts(RestorationParts):
    """Keeps consent and models in memory, and restores with what the test gives.

    Parameters
    ----------
    restorer : Restorer, optional
        What restores.
    is_ready : bool
        Whether all models are agreed to and stored from the start.
    extra : str
        What to install.
    """

    def __init__(self, restorer: Any = None, *, is_ready: bool = True, extra: str = "") -> None:
        self.extra = extra
        self.restorer = restorer
        self.states = {
            model.name: replace(model, has_consent=is_ready, is_stored=is_ready)
            for model in (BASE, CONTROL, DIFFBIR)
        }
        self.network: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.download_error = self.no_device = ""
        self.was_closed = False

    def offered(self):
        return {
            "model": [("IFControlNet", "ifcontrolnet"), ("DiffBIR v2", "diffbir-v2")],
            "base": [("Stable Diffusion 2.1-base", "sd21-base")],
        }

    def readiness(self, params):
        return Readiness(self.extra, (self.states[params.base], self.states[params.model]))

    def give_consent(self, names):
        for name in names:
            self.states[name] = replace(self.states[name], has_consent=True)

    def import_file(self, name, path: Path):
        yield CallProgress("import", 1, 2)
        if not path.is_file():
            raise WeightsError(f"{path}: no such file")
        self.states[name] = replace(self.states[name], is_stored=True)

    def download(self, name):
        self.network.append(name)
        try:
            for done in range(0, 5_000_000_001, 1_000_000_000):
                yield CallProgress("download", done, 5_000_000_000)
                assert self.gate.wait(WAIT_MS / 1000), "the test forgot to open the gate"
            if self.download_error:
                raise DownloadError(self.download_error)
        except GeneratorExit:
            self.was_closed = True
            raise
        self.states[name] = replace(self.states[name], is_stored=True)

    def estimate_s(self, params, masks, n_groups):
        if self.no_device:
            raise DeviceError(self.no_device)
        return 60.0 * n_groups * params.n_seeds * sum(bool(mask.any()) for mask in masks)

    def load_restorer(self, params):
        del params
        return self.restorer


def blurred_set(viewer: Any) -> Any:
    """Fuse a stack whose upper half no slice holds in focus, so that its confidence is low."""
    array = textured((4, 96, 128)).astype(np.float32)
    array[:, :48] = array[:, :48].mean()
    return fused_set(viewer, stack_of(array.astype("uint16"), voxel_size_um=VOXEL_UM))


def docked(viewer: Any, qtbot: Any, parts: RestorationParts) -> RestorationWidget:
    """Add the dock to a viewer, or show it alone where there is no window; wait for its page."""
    widget = RestorationWidget(viewer, parts)
    if hasattr(viewer, "window"):
        viewer.window.add_dock_widget(widget, name="Restore (generative)")
    else:
        qtbot.addWidget(widget)
        widget.show()
    wait_for_page(qtbot, widget)
    return widget


def wait_for_page(qtbot: Any, widget: RestorationWidget) -> None:
    """Wait until it is known what the models need."""
    qtbot.waitUntil(lambda: is_settled(widget), timeout=WAIT_MS)


def is_settled(widget: RestorationWidget) -> bool:
    """Whether the dock has heard the answers to all it asked."""
    asked = (widget._asking, widget._offering, widget._agreeing)
    return widget.shown_page is not None and not any(one.is_busy for one in asked)


def wait_for_mask(qtbot: Any, widget: RestorationWidget) -> None:
    """Wait until the mask is made and shown."""
    qtbot.waitUntil(lambda: not widget.page.mask.is_busy, timeout=WAIT_MS)


def wait_for_end(qtbot: Any, widget: RestorationWidget, timeout_ms: int = WAIT_MS) -> None:
    """Wait until nothing runs."""
    qtbot.waitUntil(lambda: not widget.page.runs.is_running, timeout=timeout_ms)
