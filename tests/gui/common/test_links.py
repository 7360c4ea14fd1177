from __future__ import annotations

from napari.utils.events import EmitterGroup, Event
from psygnal import Signal

from napari_gmff._napari.common.links import Links


class Sender:
    signal = Signal(int)


def test_links_are_cut_all_at_once_and_can_be_made_again() -> None:
    sender, events, heard = Sender(), EmitterGroup(None, moved=Event), []
    links = Links()
    for _ in range(2):
        links.add(sender.signal, heard.append)
        links.add(events.moved, lambda event: heard.append("moved"))
        sender.signal.emit(1)
        events.moved()
        links.cut()
        sender.signal.emit(2)
        events.moved()
    assert heard == [1, "moved"] * 2


def test_what_was_disconnected_already_does_no_harm() -> None:
    sender, heard = Sender(), []
    links = Links()
    links.add(sender.signal, heard.append)
    sender.signal.disconnect(heard.append)
    links.cut()
    sender.signal.emit(1)
    assert heard == []
