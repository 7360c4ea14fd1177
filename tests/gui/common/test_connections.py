"""Connections of a dock widget live as long as it is in a window."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmff._napari.common.connections import Connections


class Source:
    """Outlives the widget."""

    said = Signal(int)


class Listener(QWidget):
    def __init__(self, source: Source) -> None:
        super().__init__()
        self.heard: list[int] = []
        self.connections = Connections(self)
        self.connections.add(source.said, self.hear)

    def hear(self, number: int) -> None:
        self.heard.append(number)


def docked(listener: Listener, qtbot) -> QWidget:
    dock = QWidget()
    qtbot.addWidget(dock)
    QVBoxLayout(dock).addWidget(listener)
    return dock


def test_a_widget_hears_before_and_while_it_is_docked(qtbot):
    source = Source()
    listener = Listener(source)
    source.said.emit(1)
    dock = docked(listener, qtbot)
    source.said.emit(2)
    assert listener.heard == [1, 2]
    assert listener.parent() is dock


def test_out_of_its_dock_a_widget_hears_nothing_until_it_is_docked_again(qtbot):
    source = Source()
    listener = Listener(source)
    dock = docked(listener, qtbot)
    listener.setParent(None)
    source.said.emit(1)
    assert listener.heard == []
    dock.layout().addWidget(listener)
    source.said.emit(2)
    assert listener.heard == [2]


def test_with_the_widget_its_connections_are_gone(qtbot):
    source = Source()
    listener = Listener(source)
    assert len(source.said) == 1
    listener.deleteLater()
    qtbot.waitUntil(lambda: len(source.said) == 0)
