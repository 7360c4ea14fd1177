"""Callbacks that listen to something for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Links:
    """Remembers which callback was connected to which signal, so that all can be cut at once."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []

    def add(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback.

        Parameters
        ----------
        signal : psygnal.SignalInstance or napari.utils.events.EventEmitter
            What to listen to.
        callback : callable
            Called with what the signal carries.
        """
        signal.connect(callback)
        self._made.append((signal, callback))

    def cut(self) -> None:
        """Disconnect them all; what went away by itself does not matter."""
        for signal, callback in self._made:
            try:
                signal.disconnect(callback)
            except (ValueError, RuntimeError):
                continue
        self._made.clear()
