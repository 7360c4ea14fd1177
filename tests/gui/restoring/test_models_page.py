"""Weights come from a file of the user's or from the network, and never by themselves."""

from __future__ import annotations

import pytest
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtWidgets import QFileDialog, QPlainTextEdit, QProgressBar

from napari_gmff._napari.restoring.models_page import ModelsPage
from tests.gui.fusion_dock import WAIT_MS, notices
from tests.gui.restoring.fake_parts import FakeParts


@pytest.fixture
def parts():
    notification_manager.records.clear()
    return FakeParts(is_ready=False)


@pytest.fixture
def page(parts, qtbot):
    page = ModelsPage(parts)
    qtbot.addWidget(page)
    page.show()
    page.show_models([parts.states["sd21-base"], parts.states["ifcontrolnet"]])
    return page


def wait_for_end(qtbot, page):
    qtbot.waitUntil(lambda: not page.is_running, timeout=WAIT_MS)


def test_it_says_which_file_is_needed_and_where_it_is(page, parts):
    shown = [one.toPlainText() for one in page.findChildren(QPlainTextEdit)]
    assert shown == [parts.states[name].how_to_get for name in ("sd21-base", "ifcontrolnet")]
    assert parts.network == []


def test_only_what_has_an_address_can_be_downloaded(page):
    assert set(page.buttons) == {
        ("sd21-base", "file"), ("sd21-base", "download"), ("ifcontrolnet", "file"),
    }  # fmt: skip
    assert page.buttons["sd21-base", "download"].text() == "Download (5.2 GB)…"


def test_a_download_tells_how_far_it_is_and_ends_with_the_model(page, parts, qtbot):
    parts.gate.clear()
    with qtbot.waitSignal(page.got, timeout=WAIT_MS):
        page.buttons["sd21-base", "download"].click()
        bar = page.findChild(QProgressBar)
        qtbot.waitUntil(lambda: "of 5.00 GB" in page.words, timeout=WAIT_MS)
        assert bar.isVisible()
        assert not page.buttons["ifcontrolnet", "file"].isEnabled(), "one at a time"
        parts.gate.set()
    assert parts.network == ["sd21-base"]
    assert parts.states["sd21-base"].is_stored
    assert not bar.isVisible()


def test_a_download_can_be_cancelled(page, parts, qtbot):
    parts.gate.clear()
    page.buttons["sd21-base", "download"].click()
    qtbot.waitUntil(lambda: page.words != "" and parts.network != [], timeout=WAIT_MS)
    page.cancel.click()
    parts.gate.set()
    wait_for_end(qtbot, page)
    assert parts.was_closed
    assert not parts.states["sd21-base"].is_stored
    assert notices() == [], "who cancels knows it"
    assert page.buttons["sd21-base", "download"].isEnabled()


def test_a_download_that_breaks_says_so_and_can_be_tried_again(page, parts, qtbot):
    parts.download_error = "the connection broke off; get v2-1_512-ema-pruned.safetensors"
    page.buttons["sd21-base", "download"].click()
    wait_for_end(qtbot, page)
    assert notices(NotificationSeverity.ERROR) == [parts.download_error]
    assert page.buttons["sd21-base", "download"].isEnabled()


def test_a_local_file_will_do(page, parts, qtbot, tmp_path, monkeypatch):
    file = tmp_path / "IFControlNet.pt"
    file.write_bytes(b"weights")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    with qtbot.waitSignal(page.got, timeout=WAIT_MS):
        page.buttons["ifcontrolnet", "file"].click()
    assert parts.states["ifcontrolnet"].is_stored
    assert parts.network == []


def test_a_file_that_is_none_is_refused_with_its_name(page, qtbot, tmp_path):
    page.import_file("ifcontrolnet", str(tmp_path / "no.pt"))
    wait_for_end(qtbot, page)
    (message,) = notices(NotificationSeverity.ERROR)
    assert "no.pt" in message


def test_what_is_got_goes_on_for_nobody_when_the_page_is_closed(page, parts, qtbot):
    parts.gate.clear()
    page.buttons["sd21-base", "download"].click()
    qtbot.waitUntil(lambda: parts.network != [], timeout=WAIT_MS)
    page.abandon()
    parts.gate.set()
    qtbot.waitUntil(lambda: parts.was_closed, timeout=WAIT_MS)
    assert not page.is_running
