"""A real napari window for the tests, or a plain word that there is no screen for one."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

REQUIRE = "NAPARI_GMFF_REQUIRE_GUI"


def _what_is_missing() -> str | None:
    """Return why no window can be opened, or None where one can."""
    from importlib.util import find_spec

    for module in ("napari", "qtpy", "pytestqt"):
        if find_spec(module) is None:
            return f"{module} is not installed"
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not has_display:
        return "there is no screen: DISPLAY is not set and no Xvfb is installed"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies in this folder where no window can be opened, or refuse to go on."""
    missing = _what_is_missing()
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    if missing is None or not mine:
        return
    if os.environ.get(REQUIRE) == "1":
        raise pytest.UsageError(f"{REQUIRE}=1 asks for the window tests, but {missing}")
    for item in mine:
        item.add_marker(pytest.mark.skip(reason=f"window tests skipped: {missing}"))


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    """Keep napari away from the settings of the user of this machine."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari-settings.yaml"))


def _keep_settings_of_plugins_apart() -> None:
    """Do the same for plugins: where theirs lie is decided once, when napari is imported."""
    folder = tempfile.mkdtemp(prefix="napari-gmff-settings-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NAPARI_CONFIG"] = os.path.join(folder, "napari-settings.yaml")


_keep_settings_of_plugins_apart()
