"""What the user chose on the plugin's page of napari's Preferences."""

from __future__ import annotations

from typing import Any

from napari_gmff.params import FuseParams, validated
from napari_gmff.processors import threads_for_window

PLUGIN = "napari-gmff"

SECTION = "fusion"
"""Key of the page in the manifest."""

FIELDS = ("engine", "device", "block_px", "memory_limit_mb")
"""Fields of `FuseParams` on the page; the manifest repeats their titles, limits and defaults."""


def plugin_settings() -> dict[str, Any]:
    """Return the preferences as fields of `FuseParams`.

    Returns
    -------
    dict
        Values of `FIELDS`, and ``threads`` where one core is to be left to the window. The
        defaults where napari is older than 0.9, which has no such page.

    Raises
    ------
    ParameterError
        If the file that napari keeps them in holds a value outside its limits.
    """
    page = _page()
    chosen = {name: getattr(page, name) for name in FIELDS if page is not None}
    if page is None or page.keep_one_core_free:
        chosen["threads"] = threads_for_window()
    params = validated(FuseParams, chosen)
    return {name: getattr(params, name) for name in (*FIELDS, "threads")}


def _page() -> Any:
    """Return the settings that napari made of the manifest, None where it makes none."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return getattr(get_plugin_settings(PLUGIN), SECTION, None)
    except KeyError:  # the plugin is disabled, or napari started before it was installed
        return None
