"""The fusion dock in a real window, stacks that can be held up, and waiting for what happens."""

from __future__ import annotations

import glob
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from napari.layers import Image
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QThreadPool

from napari_gmff import iter_fuse, read_stack
from napari_gmff._napari.fusing.fusion_widget import FusionWidget
from napari_gmff.params import BLOCK_MULTIPLE_PX, CLASSICAL_ENGINE
from tests.stacks import textured

WAIT_MS = 20_000

PLACE = {
    "scale": (2.0, 0.5, 0.5),
    "translate": (10.0, 3.0, 4.0),
    "units": ("um", "um", "um"),
    "axis_labels": ("z", "y", "x"),
}
"""Where stacks of these tests lie."""

SMALL_WINDOWS = {"block_px": BLOCK_MULTIPLE_PX, "halo_px": 32}


NAMES = ["relief confidence", "relief depth", "relief focus index", "relief fused"]
"""Layers that fusing what `add_stack` adds gives, from the bottom."""


def add_stack(viewer: Any, array: Any = None, **options: Any) -> Image:
    """Add a stack of 4 slices, or another one."""
    array = textured((4, 90, 70)) if array is None else array
    options = {**PLACE, "contrast_limits": (0, 65535), **options}
    return viewer.add_image(array, name="relief", **options)


def names(viewer: Any) -> list[str]:
    """Return the names of all layers, from the bottom."""
    return [layer.name for layer in viewer.layers]


def notices(severity: NotificationSeverity | None = None) -> list[str]:
    """Return what the user was told since the records were cleared."""
    return [
        record.message
        for record in notification_manager.records
        if severity is None or record.severity == severity
    ]


def temporary_results() -> set[str]:
    """Return the folders of results that are not saved."""
    return set(glob.glob(str(Path(tempfile.gettempdir()) / "napari-gmff-*")))


def docked(viewer: Any, *, estimates: bool = False, **values: Any) -> FusionWidget:
    """Add the dock to a viewer, with the classical engine and other parameters.

    Without estimates nobody but the run reads pixels, so that reads can be counted.
    """
    widget = FusionWidget(viewer)
    if not estimates:
        widget.estimates.ask = lambda stack, *_: stack.close()
    viewer.window.add_dock_widget(widget, name="Fuse focus stack")
    widget.form.set_values({"engine": CLASSICAL_ENGINE, **values})
    return widget


def wait_for_end(qtbot: Any, widget: FusionWidget) -> None:
    """Wait until nothing runs."""
    qtbot.waitUntil(lambda: not widget.runs.is_running, timeout=WAIT_MS)


def fuse_and_wait(qtbot: Any, widget: FusionWidget) -> None:
    """Press *Fuse* and wait for its end."""
    assert widget.panel.fuse.isEnabled(), widget.picker.problems
    widget.panel.fuse.click()
    assert widget.runs.is_running
    wait_for_end(qtbot, widget)


def wait_for_threads() -> None:
    """Wait until no worker runs, whoever started it."""
    assert QThreadPool.globalInstance().waitForDone(WAIT_MS)


def stopped_in_second_window(
    qtbot: Any, widget: FusionWidget, held: HeldStack, **params: Any
) -> None:
    """Press *Fuse* and wait until the first window is shown, and the second is being read.

    The layer of the stack must be hidden, so that nobody else reads it.
    """
    first = 0
    stack = read_stack(held.data, axes="ZYX")
    with closing(iter_fuse(stack, engine=CLASSICAL_ENGINE, **params)) as steps:
        before = len(held.reads)
        while next(steps).window is None:
            first = len(held.reads) - before
    held.hold_at(first)
    widget.panel.fuse.click()
    qtbot.waitUntil(held.is_held.is_set, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(widget.runs.shown_layers) == len(NAMES), timeout=WAIT_MS)


class HeldStack:
    """A lazy stack whose chunks can be held back, counted, watched and made to fail.

    Parameters
    ----------
    array : ndarray
        Axes ZYX.
    chunks : tuple of int
        Of the lazy array `data`.
    """

    def __init__(self, array: np.ndarray, chunks: tuple[int, int, int]) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.is_held = threading.Event()
        self.reads: list[tuple[int, ...]] = []
        self.on_read: Callable[[tuple[int, ...]], None] | None = None
        self._hold_at = -1
        lazy = da.from_array(array, chunks=chunks)
        self.data = lazy.map_blocks(self._chunk, dtype=array.dtype, meta=array[:0, :0, :0])

    def hold_at(self, number: int) -> None:
        """Let no read go on from this one, counted from now, until `gate` is opened."""
        self._hold_at = len(self.reads) + number
        self.is_held.clear()

    def _chunk(self, block: np.ndarray, block_info: Any = None) -> np.ndarray:
        place = tuple(block_info[0]["chunk-location"]) if block_info else ()
        if self.on_read is not None:
            self.on_read(place)
        if len(self.reads) == self._hold_at:
            self.gate.clear()
            self.is_held.set()
        assert self.gate.wait(WAIT_MS / 1000), "the test forgot to open the gate"
        self.reads.append(place)
        return block
