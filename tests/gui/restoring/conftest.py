"""Viewers for restorations; nothing of them is left in the folder for temporary files."""

from __future__ import annotations

import tempfile

import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

from tests.gui.fusion_dock import wait_for_threads


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    """Keep what others do at the same time out of the way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def viewer(qapp):
    """Layers without a window, which are much quicker."""
    notification_manager.records.clear()
    viewer = ViewerModel()
    yield viewer
    wait_for_threads()
    viewer.layers.clear()


@pytest.fixture
def real_viewer(make_napari_viewer):
    notification_manager.records.clear()
    yield make_napari_viewer()
    wait_for_threads()
