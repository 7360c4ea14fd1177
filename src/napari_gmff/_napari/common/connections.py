"""Connections of a dock widget to what lives longer than it, cut when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class Connections(QObject):
    """Connects callbacks as long as a widget is part of a window.

    Parameters
    ----------
    widget : QWidget
        Owner. napari takes a widget out of its dock when the dock is closed, and may put it into
        another one later; one that has not been in a window yet is connected too.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._made = _Made()
        self._is_cut = False
        widget.installEventFilter(self)
        # An object of its own: when the owner is destroyed, so is this one. No lambda: PyQt would
        # call it even where Python has collected it together with the owner, and crash.
        widget.destroyed.connect(self._made.cut)

    def add(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback.

        Parameters
        ----------
        signal : psygnal.SignalInstance or napari.utils.events.EventEmitter
            What to listen to.
        callback : callable
            Called with what the signal carries; a bound method, which is not kept alive.
        """
        self._made.pairs.append((signal, callback))
        if not self._is_cut:
            signal.connect(callback)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Cut the connections of a widget that is taken out of its window, or make them again."""
        if event.type() == QEvent.Type.ParentChange and isinstance(watched, QWidget):
            is_out = watched.parent() is None
            if is_out and not self._is_cut:
                self._made.cut()
            elif not is_out and self._is_cut:
                self._made.connect()
            self._is_cut = is_out
        return False


class _Made:
    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Callable[..., Any]]] = []

    def connect(self) -> None:
        for signal, callback in self.pairs:
            signal.connect(callback)

    def cut(self) -> None:
        for signal, callback in self.pairs:
            try:
                signal.disconnect(callback)
            except (ValueError, RuntimeError):  # it went away by itself
                continue
