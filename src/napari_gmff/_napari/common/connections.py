"""Connections of a dock widget to what lives longer than it, cut when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

_Made = tuple[Any, Callable[..., Any]]


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
        self._made: list[_Made] = []
        self._is_cut = False
        widget.installEventFilter(self)
        # A list of its own: when the owner is destroyed, so is this object.
        made = self._made
        widget.destroyed.connect(lambda _=None: _cut(made))

    def add(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback.

        Parameters
        ----------
        signal : psygnal.SignalInstance or napari.utils.events.EventEmitter
            What to listen to.
        callback : callable
            Called with what the signal carries; a bound method, which is not kept alive.
        """
        self._made.append((signal, callback))
        if not self._is_cut:
            signal.connect(callback)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Cut the connections of a widget that is taken out of its window, or make them again."""
        if event.type() == QEvent.Type.ParentChange and isinstance(watched, QWidget):
            is_out = watched.parent() is None
            if is_out and not self._is_cut:
                _cut(self._made)
            elif not is_out and self._is_cut:
                for signal, callback in self._made:
                    signal.connect(callback)
            self._is_cut = is_out
        return False


def _cut(made: list[_Made]) -> None:
    for signal, callback in made:
        try:
            signal.disconnect(callback)
        except (ValueError, RuntimeError):  # it went away by itself
            continue
