"""How long a run and a preview would take, found out in a thread once the form is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import QObject, QTimer, Signal

from napari_gmff._napari.common.background import Background
from napari_gmff.estimate import estimate_seconds, preview_seconds, words_for_seconds
from napari_gmff.params import WEIGHTLESS_ENGINES

if TYPE_CHECKING:
    from napari_gmff.params import FuseParams
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.windows import Box

QUIET_MS = 300
"""After the last change, before anything is worked out."""


class Estimate(NamedTuple):
    """Times to expect.

    Attributes
    ----------
    words : str
        Of the run, such as ``"about 14 s on this CPU"``.
    preview_s : float or None
        Seconds for the preview.
    """

    words: str
    preview_s: float | None


class Estimates(QObject):
    """Works out times for the latest stack and parameters."""

    known = Signal(object)
    """An `Estimate`; nothing comes where one cannot be made."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._asked: tuple[FocusStack, FuseParams, Box | None] | None = None
        self._background = Background(self)
        self._background.answered.connect(lambda estimate: self.known.emit(estimate))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._ask)

    def ask(self, stack: FocusStack, params: FuseParams, preview: Box | None) -> None:
        """Work out times once nothing was asked for a while; the stack is closed afterwards."""
        self.forget()
        self._asked = (stack, params, preview)
        self._timer.start(QUIET_MS)

    def forget(self) -> None:
        """Drop what was asked."""
        self._timer.stop()
        self._background.forget()
        if self._asked is not None:
            self._asked[0].close()
        self._asked = None

    def _ask(self) -> None:
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._background.ask(estimate_of, *asked)


def estimate_of(stack: FocusStack, params: FuseParams, preview: Box | None) -> Estimate:
    """Work out times; may load the network and try it, so it is for a thread.

    Parameters
    ----------
    stack : FocusStack
        Closed at the end.
    params : FuseParams
        Of the run.
    preview : Box, optional
        Part of the image that a preview would fuse.
    """
    with stack:
        words = words_for_seconds(estimate_seconds(stack, params))
        preview_s = None if preview is None else preview_seconds(stack, params, preview)
    return Estimate(f"{words} on this {_processor(params)}", preview_s)


def _processor(params: FuseParams) -> str:
    if params.engine in WEIGHTLESS_ENGINES:
        return "CPU"
    from napari_gmff.network.devices import pick_device

    return "CPU" if pick_device(params.device).type == "cpu" else "GPU"
