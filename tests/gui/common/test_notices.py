"""Errors of workers become notifications."""

from __future__ import annotations

import pytest
from napari.utils.notifications import notification_manager

from napari_gmff._napari.common.notices import show_failure
from napari_gmff.errors import SourceError


def test_our_errors_are_shown_as_the_sentence_that_they_are():
    notification_manager.records.clear()
    show_failure(SourceError("a.tif: it is empty"))
    record = notification_manager.records[-1]
    assert record.message == "a.tif: it is empty"
    assert record.severity.value == "error"


def test_other_errors_keep_their_story():
    with pytest.raises(ZeroDivisionError):
        show_failure(ZeroDivisionError("somewhere"))
